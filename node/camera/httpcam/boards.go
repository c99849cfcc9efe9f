package httpcam

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
)

const (
	httpAskTimeout = 3 * time.Second // for the body of what is no picture
	pageBytes      = 128 << 10       // of a board's page that are read to keep the connection
	sizeTries      = 6               // frame size numbers tried for one size
)

// find makes out what a bare host is, with as few requests as can be: a board may
// have room for one viewer only. When the host itself gives pictures, the answer
// they come in is returned, so that it need not be asked again.
func (v *visit) find(ctx context.Context) (*answer, error) {
	v.warn("")
	f := v.facts()
	if f.answer == boardAnswer && !f.asked && board.Of(f.kind).Controls {
		if st, err := v.status(ctx, f.places.Root); err == nil {
			v.adopt(v.url, st)
		}
		return nil, ctx.Err()
	}
	if !v.bare || f.answer != unknownAnswer {
		return nil, nil
	}
	a, err := v.ask(ctx, v.url.String())
	if err != nil {
		return nil, err
	}
	refused := v.refusal(a)
	if refused == nil {
		return a, nil
	}
	page := a.StatusCode == http.StatusOK || a.StatusCode == http.StatusNotFound
	kind := board.FromAnswer(a.Header, false)
	a.drain(pageBytes)
	if kind == board.Tasmota && page {
		v.log.Info("camera recognised", "kind", string(kind))
		v.know(func(f *facts) {
			f.kind, f.answer, f.asked, f.places = kind, boardAnswer, true, board.PlacesOf(board.Of(kind), v.url, "")
		})
		return nil, nil
	}
	if !page {
		return nil, refused
	}
	root := url.URL{Scheme: v.url.Scheme, Host: v.url.Host}
	st, err := v.status(ctx, root.String())
	if err != nil {
		if ctx.Err() != nil || camera.CodeOf(err) == camera.CameraBusy || camera.CodeOf(err) == camera.Stalled {
			return nil, err
		}
		return nil, refused
	}
	v.adopt(v.url, st)
	return nil, nil
}

// drain reads what is left of an answer, up to a bound in bytes and time, so that
// the connection can be used again, and closes it.
func (a *answer) drain(most int64) {
	defer a.close()
	timer := time.AfterFunc(httpAskTimeout, a.cancel)
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, a.body, most)
}

// adopt takes in the first status of a board whose own address is root.
func (v *visit) adopt(root *url.URL, st board.Status) {
	v.log.Info("camera recognised", "kind", string(st.Kind))
	v.know(func(f *facts) {
		f.kind, f.asked, f.status = st.Kind, true, &st
		if f.home == nil {
			f.home = &st
		}
		f.places = board.PlacesOf(board.Of(st.Kind), root, st.StreamURL)
		if v.bare && f.answer != streamAnswer && f.answer != snapshotAnswer {
			f.answer = boardAnswer
		}
	})
}

// learn recognises a board by its answer to an address that was given in full,
// once, and asks it for its status if it has one.
func (v *visit) learn(ctx context.Context, a *answer) {
	f := v.facts()
	if f.asked {
		return
	}
	kind := f.kind
	if kind == "" {
		kind = board.FromAnswer(a.Header, a.ProtoMinor == 0)
	}
	v.know(func(f *facts) { f.asked, f.kind = true, kind })
	root := board.RootOf(kind, v.url)
	if root == nil {
		return
	}
	if st, err := v.status(ctx, root.String()); err == nil {
		v.adopt(root, st)
	}
}

// status asks a board how it is set.
func (v *visit) status(ctx context.Context, root string) (board.Status, error) {
	before := v.at
	defer func() { v.at = before }()
	a, err := v.send(ctx, query{addr: root + "/status", wait: boardTimeout})
	if err != nil {
		return board.Status{}, err
	}
	defer a.close()
	if a.StatusCode != http.StatusOK {
		return board.Status{}, fmt.Errorf("%s/status answers %s", v.redact.Line(root), v.redact.Line(a.Status))
	}
	timer := time.AfterFunc(httpAskTimeout, a.cancel)
	defer timer.Stop()
	b, err := io.ReadAll(io.LimitReader(a.body, board.MaxStatus+1))
	if err != nil {
		return board.Status{}, fmt.Errorf("read %s/status: %w", v.redact.Line(root), err)
	}
	return board.ParseStatus(b)
}

// errRefused is what set returns when the board has heard and does not obey.
var errRefused = errors.New("the board refuses")

// set changes one variable of a board.
func (v *visit) set(ctx context.Context, name string, value int) error {
	before := v.at
	defer func() { v.at = before }()
	a, err := v.send(ctx, query{addr: v.facts().places.Root + board.Control(name, value), wait: boardTimeout})
	if err != nil {
		return err
	}
	defer a.drain(refusalBody)
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("%w %s=%d: it answers %s", errRefused, name, value, v.redact.Line(a.Status))
	}
	v.log.Debug("camera set", "name", name, "value", value)
	return nil
}

// obey makes a board with controls do what the mode asks, and go back to what it
// did before when nothing is asked any more. What it does not do becomes a
// warning; an error is only that it cannot be reached.
func (v *visit) obey(ctx context.Context, m camera.Mode) error {
	f := v.facts()
	asked := m.Width > 0 || m.Quality > 0 || m.Flash != 0
	if f.places.Root == "" || f.home == nil || !asked && !f.moved {
		return nil
	}
	st, err := v.status(ctx, f.places.Root)
	if err != nil {
		if _, network := errors.AsType[*camera.Error](err); network {
			return err
		}
		v.warn("its settings cannot be read: " + v.redact.Line(err.Error()))
		return nil
	}
	o := &order{visit: v, was: st, home: *f.home}
	for _, step := range []func(context.Context, camera.Mode) error{o.quality, o.flash, o.size, o.confirm} {
		if err := step(ctx, m); err != nil {
			return err
		}
	}
	v.know(func(f *facts) {
		f.moved = o.now.Quality != o.home.Quality || o.now.FrameSize != o.home.FrameSize
		f.status = &o.now
		f.warn = strings.Join(o.warnings, "; ")
	})
	return nil
}

// order is what is asked of a board before its pictures are.
type order struct {
	*visit
	was, home, now board.Status
	changed        bool
	level          int // quality wanted
	light          int // wanted; below 0: as it is
	warnings       []string
}

// set changes a variable; that it is refused is a warning.
func (o *order) set(ctx context.Context, name string, value int) error {
	o.changed = true
	err := o.visit.set(ctx, name, value)
	if errors.Is(err, errRefused) {
		o.warnings = append(o.warnings, err.Error())
		return nil
	}
	return err
}

func (o *order) quality(ctx context.Context, m camera.Mode) error {
	if o.level = o.home.Quality; m.Quality > 0 {
		o.level = board.QualityFor(m.Quality)
	}
	if o.was.Quality == o.level {
		return nil
	}
	return o.set(ctx, "quality", o.level)
}

func (o *order) flash(ctx context.Context, m camera.Mode) error {
	if o.light = -1; m.Flash == 0 || o.was.Light == "" {
		return nil
	}
	o.light = o.was.LightFor(max(m.Flash, 0))
	if o.light > 0 && o.was.AutoLight != nil && *o.was.AutoLight == 0 {
		if err := o.set(ctx, "autolamp", 1); err != nil {
			return err
		}
	}
	if o.was.LightValue == o.light {
		return nil
	}
	return o.set(ctx, o.was.Light, o.light)
}

// confirm reads back what has been set.
func (o *order) confirm(ctx context.Context, _ camera.Mode) error {
	o.now = o.was
	if !o.changed {
		return nil
	}
	st, err := o.status(ctx, o.facts().places.Root)
	if err != nil {
		o.warnings = append(o.warnings, "what was set cannot be read back: "+o.redact.Line(err.Error()))
		return nil
	}
	o.now = st
	if len(o.warnings) == 0 && st.Quality != o.level {
		o.warnings = append(o.warnings, fmt.Sprintf("it was asked for quality=%d and keeps %d (0 is best, 63 worst)", o.level, st.Quality))
	}
	if len(o.warnings) == 0 && o.light >= 0 && st.LightValue != o.light {
		o.warnings = append(o.warnings, fmt.Sprintf("it was asked for %s=%d and keeps %d", st.Light, o.light, st.LightValue))
	}
	return nil
}

// size finds the number for a size, by trying: what a number means differs between
// releases, and only the picture tells.
func (o *order) size(ctx context.Context, m camera.Mode) error {
	want := board.Size{Width: m.Width, Height: m.Height}
	if m.Width == 0 {
		return o.goHome(ctx)
	}
	now, known := o.numbered(o.was.FrameSize)
	if !known {
		got, err := o.look(ctx, board.Size{})
		if err != nil {
			return err
		}
		if now = got; now != (board.Size{}) {
			o.know(func(f *facts) { f.number.Learn(o.was.FrameSize, now); f.sizes = nil })
		}
	}
	for try := 0; now != want && try < sizeTries; try++ {
		number := -1
		o.know(func(f *facts) { number = f.number.For(want) })
		if number < 0 {
			break
		}
		done, err := o.try(ctx, number, want)
		if err != nil || done {
			return err
		}
	}
	if now == want {
		return nil
	}
	o.warnings = append(o.warnings, fmt.Sprintf("it does not give pictures of %s: it keeps %s", camera.Size(want), camera.Size(now)))
	o.changed = true
	if err := o.visit.set(ctx, "framesize", o.was.FrameSize); err != nil {
		return err
	}
	_, err := o.look(ctx, now) // the pictures of the tries are gone then
	return err
}

// try sets a number and looks at the pictures that come. Done: no further number
// need be tried.
func (o *order) try(ctx context.Context, number int, want board.Size) (done bool, err error) {
	o.changed = true
	err = o.visit.set(ctx, "framesize", number)
	if errors.Is(err, errRefused) {
		o.know(func(f *facts) { f.number.Refuse(number); f.sizes = nil })
		return false, nil
	}
	if err != nil {
		return false, err
	}
	got, err := o.look(ctx, want)
	if err != nil {
		return false, err
	}
	if got == (board.Size{}) { // too large for its buffers: no picture is whole
		o.know(func(f *facts) { f.number.Refuse(number); f.sizes = nil })
		return false, nil
	}
	st, err := o.status(ctx, o.facts().places.Root)
	if err == nil && st.FrameSize != number {
		o.know(func(f *facts) { f.number.Refuse(number); f.sizes = nil })
		return false, nil
	}
	o.know(func(f *facts) { f.number.Learn(number, got); f.sizes = nil })
	return got == want, nil
}

// goHome gives the board back the size that it had.
func (o *order) goHome(ctx context.Context) error {
	if o.was.FrameSize == o.home.FrameSize {
		return nil
	}
	if err := o.set(ctx, "framesize", o.home.FrameSize); err != nil {
		return err
	}
	if want, known := o.numbered(o.home.FrameSize); known {
		_, err := o.look(ctx, want)
		return err
	}
	return nil
}

func (o *order) numbered(number int) (s board.Size, known bool) {
	o.know(func(f *facts) { s, known = f.number.Size(number) })
	return s, known
}

// look is the size of the pictures that the board takes now. The first ones may be
// from before a change, so it goes on until they are as wanted or none can be old.
// The zero size: none was whole.
func (o *order) look(ctx context.Context, want board.Size) (got board.Size, err error) {
	p := &poller{visit: o.visit, addr: o.facts().places.Capture}
	for range board.MaxDepth + 1 {
		pic, _, err := p.shot(ctx)
		if camera.CodeOf(err) == camera.Stalled { // it cannot take one of this size
			return board.Size{}, nil
		}
		if err != nil && p.broken < brokenInARow || ctx.Err() != nil {
			return got, err
		}
		if pic == nil {
			got = board.Size{}
			continue
		}
		in, err := jpeg.Scan(pic)
		if err != nil {
			continue
		}
		if got = (board.Size{Width: in.Width, Height: in.Height}); got == want || want == (board.Size{}) {
			break
		}
	}
	return got, ctx.Err()
}
