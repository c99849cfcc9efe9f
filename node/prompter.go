package node

import "time"

// prompter asks a source that takes pictures one by one (Profile.Prompted) for a picture
// when a request waits for one. A nil prompter is of a source that needs no asking.
type prompter struct {
	ring    chan struct{} // the source takes a picture for each value
	opened  time.Time
	asked   time.Time // when it was last asked
	due     int       // pictures asked for that have not come, as far as is known
	waiting time.Time // since when a picture is due; zero: none is
}

// askAgain is when a prompt that brought nothing is repeated: a picture can get
// lost on its way, without the camera being broken.
const askAgain = 5 * time.Second

func newPrompter(now time.Time) *prompter {
	return &prompter{ring: make(chan struct{}, 1), opened: now}
}

// next is when the source must be asked: at once if a request waits for an exposure that
// begins later than any that was asked for. Zero is not at all.
func (p *prompter) next(pending []request) time.Time {
	var at time.Time
	if p == nil {
		return at
	}
	for _, r := range pending {
		switch {
		case r.lease: // any picture of the stream will do
		case r.oldest().After(p.asked), p.due == 0: // not asked for, or what came was too old
			return p.opened
		default:
			at = p.asked.Add(askAgain)
		}
	}
	return at
}

// ask asks the source if it is time to.
func (p *prompter) ask(pending []request, now time.Time) {
	at := p.next(pending)
	if at.IsZero() || now.Before(at) {
		return
	}
	if p.due > 0 && !now.Before(p.asked.Add(askAgain)) {
		p.due = 0 // it got lost
	}
	p.asked = now
	if p.waiting.IsZero() {
		p.waiting = now
	}
	select {
	case p.ring <- struct{}{}:
		p.due++
	default: // it has not even begun with the last one, which will do
	}
}

// came notes a picture that was not exposed before at.
func (p *prompter) came(at, now time.Time) {
	if p == nil {
		return
	}
	if at.Before(p.asked) {
		p.due = max(0, p.due-1)
	} else {
		p.due = 0 // what was asked for last
	}
	p.waiting = now
	if p.due == 0 {
		p.waiting = time.Time{}
	}
}

// idle reports whether nothing is expected of the source.
func (p *prompter) idle() bool { return p.due == 0 }
