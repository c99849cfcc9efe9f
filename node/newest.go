package node

import (
	"time"

	"camqtt/internal/wire"
)

// newest is the newest whole picture of the camera, and what state says of it.
type newest struct {
	picture       *picture // of this run of the camera; nil: it is not to be shown
	at            time.Time
	width, height int
	pushed        bool // the camera sends by itself
	changed       func()
}

// set notes a picture.
func (n *newest) set(p *picture) {
	p.hold()
	if n.picture != nil {
		n.picture.drop()
	}
	n.picture, n.at = p, p.at
	if n.width != p.info.Width || n.height != p.info.Height {
		n.width, n.height = p.info.Width, p.info.Height
		n.changed()
	}
}

// recall takes over what an earlier run of the node has noted.
func (n *newest) recall(last lastPicture) {
	n.at, n.width, n.height = last.At.Time, last.Width, last.Height
}

// state fills in what state says of the picture.
func (n *newest) state(s *wire.State) {
	s.Width, s.Height = n.width, n.height
	if !n.at.IsZero() {
		at := wire.At(n.at)
		s.LastFrame = &at
	}
}

// hint says when a camera that sends by itself last did; "" for others.
func (n *newest) hint(now time.Time) string {
	if !n.pushed {
		return ""
	}
	if n.at.IsZero() {
		return "; the camera sends when it likes, and has sent none since the node started"
	}
	text := "; the camera sends when it likes, last " + now.Sub(n.at).Round(time.Second).String() + " ago"
	if n.picture != nil {
		text += ": a snap with max_age takes that picture"
	}
	return text
}
