package viewer

import (
	"encoding/json"
	"fmt"
	"sync"

	"camqtt/internal/jpeg"
	"camqtt/internal/wire"
)

// recent is how many pictures and descriptions are remembered while a capture waits: those
// that other askers get may come between.
const recent = 4

// capture collects the messages that answer a command for a picture: the picture, perhaps
// its description, and the result that names it. They belong together whatever order
// they come in: NATS keeps it within a topic only.
type capture struct {
	id       string        // of the command
	answered chan struct{} // closed when the result has come
	done     chan struct{} // closed when what follows is final

	picture []byte
	meta    wire.Meta
	result  wire.Result
	err     error

	mu       sync.Mutex
	ended    bool
	pictures []received
	metas    []wire.Meta
}

// received is a picture that has come.
type received struct {
	jpg   []byte
	image string // its ImageUniqueID
	kept  bool   // by the broker, perhaps of an earlier command
}

func newCapture(id string) *capture {
	return &capture{id: id, answered: make(chan struct{}), done: make(chan struct{})}
}

// hear takes one message.
func (c *capture) hear(kind wire.Kind, m wire.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	switch kind {
	case wire.KindMeta:
		c.described(m)
	case wire.KindFrame, wire.KindPreview, wire.KindSnapshot:
		c.shown(m)
	case wire.KindResult:
		r, ok := result(m)
		if !ok || r.ID != c.id || c.result.ID != "" {
			return
		}
		c.result = r
		if !r.OK {
			c.finish(received{}, wire.Meta{}, &Refused{r})
			return
		}
		close(c.answered)
	}
	if c.result.ID != "" {
		c.match()
	}
}

func (c *capture) described(m wire.Message) {
	var d wire.Meta
	if json.Unmarshal(m.Payload, &d) != nil || m.Retained && d.Image == "" {
		return // what is kept is of an earlier command, unless it can be told by its image
	}
	c.metas = push(c.metas, d)
}

func (c *capture) shown(m wire.Message) {
	if len(m.Payload) == 0 {
		return // there is no picture any more
	}
	p := received{jpg: m.Payload, kept: m.Retained}
	p.image, _ = jpeg.ImageID(m.Payload)
	c.pictures = push(c.pictures, p)
}

// push adds the newest and forgets the oldest.
func push[T any](list []T, one T) []T {
	if len(list) == recent {
		list = list[1:]
	}
	return append(list, one)
}

// match looks for the picture that the result names. c.mu is held.
func (c *capture) match() {
	for _, p := range c.pictures {
		if c.names(p) {
			c.finish(p, c.describe(p), nil)
			return
		}
	}
	// Where it was replaced on the way by that of a later command, this one is fresh too.
	for _, d := range c.metas {
		for _, p := range c.pictures {
			if d.Seq > c.result.Seq && d.Image != "" && p.image == d.Image && !p.kept {
				c.finish(p, d, nil)
				return
			}
		}
	}
}

// names reports whether the result is about a picture. Results of the previous release
// have no image; their picture is the one of their size.
func (c *capture) names(p received) bool {
	if c.result.Image == "" {
		return !p.kept && len(p.jpg) == c.result.Bytes
	}
	return p.image == c.result.Image
}

// describe is the description of the picture that the result names. It may come later
// than the picture, and does not come for a still: the result has most of it.
func (c *capture) describe(p received) wire.Meta {
	for _, d := range c.metas {
		if d.Image == p.image {
			return d
		}
	}
	r := c.result
	d := wire.Meta{Seq: r.Seq, Cause: wire.CauseCommand, ID: r.ID, Bytes: len(p.jpg), TookMS: r.TookMS, Image: r.Image}
	if info, err := jpeg.Scan(p.jpg); err == nil {
		d.Width, d.Height = info.Width, info.Height
	}
	return d
}

func (c *capture) finish(p received, d wire.Meta, err error) {
	if err == nil {
		if err = jpeg.CheckSize(p.jpg); err != nil {
			err = fmt.Errorf("the picture is not passed on: %w", err)
		}
	}
	c.picture, c.meta, c.err, c.ended = p.jpg, d, err, true
	close(c.done)
}
