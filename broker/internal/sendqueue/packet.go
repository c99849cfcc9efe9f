// Package sendqueue writes packets to one client's connection and keeps what waits,
// within bounds. Of pictures it keeps the newest one of each topic. It knows bytes and a
// line, no MQTT and no session.
package sendqueue

import (
	"bytes"

	"camqtt/broker/internal/sharedbuffer"
)

// Packet is one packet to be sent.
type Packet struct {
	Topic   string               // of a picture, of which one waits; empty: an ordinary packet
	AtEnd   bool                 // a picture that replaces another one goes to the end of the queue
	Counter Counter              // of the picture's camera; nil: none
	Head    []byte               // everything before the payload, or a whole packet
	Payload *sharedbuffer.Buffer // held while the packet waits; nil: none
	Account string               // of the publisher of a message that may be dropped
	Framed  bool                 // needs no frame head

	// Borrowed says that Head belongs to the caller and is copied to be kept.
	Borrowed bool
}

// Counter counts what becomes of one camera's pictures.
type Counter interface {
	Sent(bytes int)
	Replaced()
}

// Rule says what happens to a packet that finds no room.
type Rule byte

// The rules.
const (
	Needed      Rule = iota // the connection is closed: the client cannot do without it
	Droppable               // it is dropped
	Newest                  // a picture: it replaces the one of the same topic
	UnlessNewer             // a retained picture: one that waits already is newer
)

func (p *Packet) body() []byte {
	if p.Payload == nil {
		return nil
	}
	return p.Payload.Bytes
}

func (p *Packet) size() int { return len(p.Head) + len(p.body()) }

// keep makes a packet outlive the call that brought it.
func (p *Packet) keep() {
	if p.Borrowed {
		p.Head, p.Borrowed = bytes.Clone(p.Head), false
	}
	p.Payload.Hold()
}
