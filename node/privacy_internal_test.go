package node

import (
	"errors"
	"log/slog"
	"testing"

	"camqtt/internal/wire"
)

// store is a disk that answers when a test says so.
type store struct {
	Store
	answer  chan error
	private bool
	damaged error
}

func (s *store) Private() (bool, error) { return s.private, s.damaged }
func (s *store) SetPrivate(bool) error  { return <-s.answer }

func newPrivacy(s *store) (p *privacy, enforced *[]bool) {
	enforced = &[]bool{}
	return &privacy{
		settings: &settings{}, store: s, log: slog.New(slog.DiscardHandler), changed: func() {},
		enforce: func(on bool) { *enforced = append(*enforced, on) },
	}, enforced
}

// On is in force before the disk answers, off after.
func TestPrivacyOrder(t *testing.T) {
	p, enforced := newPrivacy(&store{answer: make(chan error, 1)})
	change := func(on bool, err error) (*settingsRequest, *wire.Result) {
		p.write(&settingsRequest{id: "a"}, on)
		if !p.settings.private {
			t.Errorf("off while privacy=%v is being written", on)
		}
		p.store.(*store).answer <- err
		r, refusal := p.finish(<-p.written())
		if refusal == nil {
			p.set(on)
		}
		return r, refusal
	}
	if r, refusal := change(true, nil); refusal != nil || r.id != "a" || !p.confirmed || p.warning() != "" {
		t.Errorf("on: %+v, %+v, warning %q", r, refusal, p.warning())
	}
	if _, refusal := change(false, errors.New("full")); refusal == nil || refusal.Code != wire.Privacy || !p.settings.private {
		t.Errorf("off on a full disk: %+v", refusal)
	}
	if _, refusal := change(true, errors.New("full")); refusal != nil || p.warning() == "" || p.note(true) == "" {
		t.Errorf("on on a full disk: %+v, warning %q", refusal, p.warning())
	}
	if _, refusal := change(false, nil); refusal != nil || p.settings.private || p.warning() != "" {
		t.Errorf("off: %+v, warning %q", refusal, p.warning())
	}
	if got := *enforced; len(got) != 2 || !got[0] || got[1] {
		t.Errorf("enforced %v, want on, then off", got)
	}
}

// A disk that does not answer is reported once.
func TestPrivacyOnSlowDisk(t *testing.T) {
	s := &store{answer: make(chan error, 1)}
	p, _ := newPrivacy(s)
	p.write(&settingsRequest{}, true)
	at := p.next()
	p.run(at)
	if p.warning() == "" || !p.next().IsZero() {
		t.Errorf("warning %q, next at %s", p.warning(), p.next())
	}
	s.answer <- nil
	p.finish(<-p.written())
	if p.warning() != "" || p.written() != nil {
		t.Errorf("warning %q after the disk has answered", p.warning())
	}
}

// In doubt the camera is private, and state says why.
func TestPrivacyUnknown(t *testing.T) {
	p, enforced := newPrivacy(&store{damaged: errors.New("damaged")})
	p.recall()
	if !p.settings.private || len(*enforced) != 1 || p.problem() == nil || p.problem().Text != "damaged" {
		t.Errorf("private %v, enforced %v, problem %+v", p.settings.private, *enforced, p.problem())
	}
}
