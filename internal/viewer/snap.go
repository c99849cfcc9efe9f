package viewer

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/wire"
)

// Picture is one JPEG with what is known of it.
type Picture struct {
	JPEG []byte
	At   time.Time // when it was taken: its EXIF, else when it arrived
	Meta wire.Meta // of snapshots only
}

// Ask is what a snapshot may ask for; zero values leave it to the camera.
type Ask struct {
	MaxAge  time.Duration
	Size    wire.Size
	Quality int
}

// Snap asks a camera for one picture and returns it. The error is a [*Refused]
// when the camera said no, and wraps [ErrNoAnswer] when it said nothing before
// ctx was done, or jpeg.ErrHuge when what came claims a size nobody can show.
func (v *Viewer) Snap(ctx context.Context, id wire.ID, a Ask) (Picture, error) {
	c := wire.Command{Verb: wire.Snap, ID: v.next(), MaxAge: a.MaxAge, Size: a.Size, Quality: a.Quality}
	s := &snapWait{id: c.ID, done: make(chan struct{})}
	stop, err := v.listen(ctx, id, s.hear, wire.KindResult, wire.KindMeta, wire.KindSnapshot)
	if err != nil {
		return Picture{}, err
	}
	defer stop()
	if err := v.opts.Link.Publish(ctx, v.command(v.opts.Base.Topic(id, wire.KindCmd), c)); err != nil {
		return Picture{}, err
	}
	select {
	case <-s.done:
		return s.picture, s.err
	case <-ctx.Done():
		return Picture{}, v.noAnswer(ctx, id)
	}
}

// snapWait collects the three messages that make a snapshot: its description,
// the picture, and the result that names it by seq. They belong together whatever
// order they come in: NATS keeps it within a topic only.
type snapWait struct {
	id   string
	done chan struct{}

	mu      sync.Mutex
	ended   bool
	meta    wire.Meta
	newest  Picture
	wanted  uint64 // seq of the picture, once the result has come
	picture Picture
	err     error
}

func (s *snapWait) hear(kind wire.Kind, m wire.Message) {
	if m.Retained {
		return // of an earlier snapshot
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	switch kind {
	case wire.KindMeta:
		s.meta = wire.Meta{}
		_ = json.Unmarshal(m.Payload, &s.meta) // nonsense has seq 0, which nobody waits for
	case wire.KindSnapshot:
		s.newest = pictureOf(m.Payload)
		s.newest.Meta = s.meta
	case wire.KindResult:
		r, ok := result(m)
		switch {
		case !ok || r.ID != s.id:
			return
		case !r.OK:
			s.finish(Picture{}, &Refused{r})
			return
		}
		s.wanted = r.Seq
	}
	if n := len(s.newest.JPEG); n > 0 && s.meta.Bytes == n {
		s.newest.Meta = s.meta // which may have come after its picture
	}
	if m := s.newest.Meta; s.wanted > 0 && s.newest.JPEG != nil && m.Seq >= s.wanted && (m.Bytes == 0 || m.Bytes == len(s.newest.JPEG)) {
		if err := jpeg.CheckSize(s.newest.JPEG); err != nil {
			s.finish(Picture{}, fmt.Errorf("the picture is not passed on: %w", err))
			return
		}
		s.finish(s.newest, nil)
	}
}

func (s *snapWait) finish(p Picture, err error) {
	s.picture, s.err, s.ended = p, err, true
	close(s.done)
}

// pictureOf wraps a JPEG; the time is that of its EXIF.
func pictureOf(jpg []byte) Picture {
	at, ok := jpeg.CaptureTime(jpg)
	if !ok {
		at = time.Now()
	}
	return Picture{JPEG: jpg, At: at}
}
