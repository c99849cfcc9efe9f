package broker

// fairQueue holds the messages that wait for one client, in one line for each account
// that published them. The lines take turns, so that an account that publishes much does
// not delay or push out what others publish. A line keeps its order, and so does every
// publisher's topic [MQTT-4.6.0-6].
type fairQueue struct {
	lines map[string]*fairLine
	turns []*fairLine // lines in which something waits; the next one first
	n     int         // messages
	bytes int         // their size
}

// fairLine is what waits of one account.
type fairLine struct {
	account string
	waiting []*inflight
	bytes   int
}

// push adds a message to the end of its account's line.
func (q *fairQueue) push(f *inflight) {
	l := q.lines[f.m.account]
	if l == nil {
		if q.lines == nil {
			q.lines = map[string]*fairLine{}
		}
		l = &fairLine{account: f.m.account}
		q.lines[l.account] = l
		q.turns = append(q.turns, l)
	}
	l.waiting = append(l.waiting, f)
	q.add(l, 1, f.m.size())
}

// pop takes out the first message of the first line whose first message may go. It
// returns nil when there is none.
func (q *fairQueue) pop(may func(*inflight) bool) *inflight {
	for i, l := range q.turns {
		f := l.waiting[0]
		if !may(f) {
			continue
		}
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		q.add(l, -1, -f.m.size())
		q.turns = append(q.turns[:i], q.turns[i+1:]...)
		if len(l.waiting) > 0 {
			q.turns = append(q.turns, l)
		} else {
			delete(q.lines, l.account)
		}
		return f
	}
	return nil
}

// remove takes out every message for which which is true, and hands it to drop.
func (q *fairQueue) remove(which func(*inflight) bool, drop func(*inflight)) {
	turns := q.turns[:0]
	for _, l := range q.turns {
		kept := l.waiting[:0]
		for _, f := range l.waiting {
			if !which(f) {
				kept = append(kept, f)
				continue
			}
			q.add(l, -1, -f.m.size())
			drop(f)
		}
		clear(l.waiting[len(kept):])
		if l.waiting = kept; len(kept) > 0 {
			turns = append(turns, l)
		} else {
			delete(q.lines, l.account)
		}
	}
	clear(q.turns[len(turns):])
	q.turns = turns
}

// evict takes out the last message of the line that uses most of two limits, unless that
// is the line of m itself. Commands stay. It returns nil when there is nothing to take.
func (q *fairQueue) evict(m *message, messages, bytes int) *inflight {
	used := func(l *fairLine, n, size int) int {
		return (len(l.waiting)+n)*bytes + (l.bytes+size)*messages
	}
	most, own := 0, used(&fairLine{}, 1, m.size())
	if l := q.lines[m.account]; l != nil {
		own = used(l, 1, m.size())
	}
	var longest *fairLine
	for _, l := range q.turns {
		if n := used(l, 0, 0); n > most && l.account != m.account {
			most, longest = n, l
		}
	}
	if longest == nil || own >= most {
		return nil
	}
	last := longest.waiting[len(longest.waiting)-1]
	if last.m.command {
		return nil
	}
	q.remove(func(f *inflight) bool { return f == last }, func(*inflight) {})
	return last
}

// takesCommand reports whether another command of an account may wait.
func (q *fairQueue) takesCommand(account string) bool {
	l := q.lines[account]
	return l == nil || len(l.waiting) < commandsWaiting && l.bytes < commandsBytes
}

func (q *fairQueue) add(l *fairLine, n, size int) {
	q.n += n
	q.bytes += size
	l.bytes += size
}
