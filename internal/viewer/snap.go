package viewer

import (
	"context"
	"slices"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/wire"
)

// Picture is one JPEG with what is known of it.
type Picture struct {
	JPEG []byte
	At   time.Time // when it was taken, by our clock
	Meta wire.Meta // of snapshots only; its times are the camera's
}

// Ask is what a snapshot may ask for; zero values leave it to the camera.
type Ask struct {
	MaxAge  time.Duration
	Size    wire.Size
	Quality int
}

// Snap asks a camera for one deliberate picture and returns it. The error is a
// [*Refused] when the camera said no, and wraps [ErrNoAnswer] when it said nothing before
// ctx was done, or jpeg.ErrHuge when what came claims a size nobody can show.
//
// It takes a round trip and the exposure. The picture is taken from the topic frame,
// which unlike snapshot does not begin with an older picture that the broker keeps;
// snapshot has it where frame did not bring it.
func (v *Viewer) Snap(ctx context.Context, id wire.ID, a Ask) (Picture, error) {
	first := wire.KindFrame
	if c, known := v.Camera(id); known && c.State.Streaming {
		first = wire.KindSnapshot // of all live pictures only one would be used
	}
	return v.take(ctx, id, v.commandOf(wire.Snap, a), []wire.Kind{wire.KindResult, wire.KindMeta, first})
}

// Still asks a camera for one picture that is not a snapshot: nothing is kept of it but the
// preview, and there is no event. A camera that does not know this command is asked for
// a snapshot. Its errors are those of [Viewer.Snap].
func (v *Viewer) Still(ctx context.Context, id wire.ID, a Ask) (Picture, error) {
	c, known := v.Camera(id)
	if !known || !slices.Contains(c.Info.Caps, wire.CapStill) {
		return v.Snap(ctx, id, a)
	}
	return v.take(ctx, id, v.commandOf(wire.Still, a), []wire.Kind{wire.KindResult, wire.KindPreview})
}

func (v *Viewer) commandOf(verb wire.Verb, a Ask) wire.Command {
	return wire.Command{Verb: verb, ID: v.next(), MaxAge: a.MaxAge, Size: a.Size, Quality: a.Quality}
}

// lateTime is how long a picture may follow the result that names it.
const lateTime = time.Second

// take gives a command whose answer is a picture.
func (v *Viewer) take(ctx context.Context, id wire.ID, c wire.Command, kinds []wire.Kind) (Picture, error) {
	w := newCapture(c.ID)
	q, err := v.question(ctx, id, kinds, w.hear)
	if err != nil {
		return Picture{}, err
	}
	defer func() { q.end() }()
	q.send(ctx, v.command(v.opts.Base.Topic(id, wire.KindCmd), c))
	var missing <-chan time.Time
	answered := w.answered
	for {
		select {
		case <-w.done:
			return v.captured(q, w)
		case <-answered:
			answered, missing = nil, time.After(lateTime)
		case <-missing: // replaced by a newer one on the way, or sent again after a break
			missing = nil
			if c.Verb != wire.Snap || slices.Contains(kinds, wire.KindSnapshot) {
				continue
			}
			kept, err := v.question(ctx, id, []wire.Kind{wire.KindSnapshot}, w.hear)
			if err != nil {
				return Picture{}, err
			}
			defer kept.end()
		case err := <-q.failed:
			return Picture{}, err
		case <-ctx.Done():
			return Picture{}, v.noAnswer(ctx, id)
		}
	}
}

// captured is the picture that has come, or why none did.
func (v *Viewer) captured(q *question, w *capture) (Picture, error) {
	if w.result.ID != "" {
		q.heard(w.result)
	}
	if w.err != nil {
		return Picture{}, w.err
	}
	p := Picture{JPEG: w.picture, Meta: w.meta}
	p.At = v.takenAt(q.id, p)
	return p, nil
}

// live is a picture of a stream.
func (v *Viewer) live(id wire.ID, jpg []byte) Picture {
	p := Picture{JPEG: jpg}
	p.At = v.takenAt(id, p)
	return p
}

// takenAt is when a picture was taken, by our clock: as its description says, else its
// EXIF, else now.
func (v *Viewer) takenAt(id wire.ID, p Picture) time.Time {
	at := p.Meta.TS.Time
	if at.IsZero() {
		t, ok := jpeg.CaptureTime(p.JPEG)
		if !ok {
			return time.Now()
		}
		at = t
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.cams[id]; c != nil {
		return c.Clock.Ours(at)
	}
	return at
}
