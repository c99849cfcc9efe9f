package broker

import (
	"errors"
	"net"
)

// Framed is what a connection given to [Broker.Attach] may implement beside
// net.Conn when MQTT travels inside another protocol on a line of its own, as it
// does inside WebSocket messages. It lets the broker send one picture's bytes to
// many such connections without copying them into each.
//
// Who frames what:
//
//   - Inbound, the connection unframes: Read yields MQTT bytes only. It may return
//     at any boundary, also in the middle of an MQTT packet.
//   - Outbound, the broker frames: it calls AppendHead once per MQTT packet and
//     writes that head and then the packet's bytes to Line, and never calls Write.
//     One MQTT packet is always one frame, and nothing comes between a head and its
//     packet.
//   - Control frames, such as a WebSocket pong or the answer to a close, are made by
//     the connection, usually inside Read, but written by the broker: the connection
//     hands each whole frame, its own head included, to the function that Bind gave
//     it. They leave in the order they were handed over, between packets, never
//     inside one.
//   - After Attach was called only the broker may write to Line or set its
//     write deadline.
//
// Close, RemoteAddr and SetReadDeadline of the connection itself are used, and must
// act on the line. Close is called once, after the last byte was written or when
// the other side took nothing for too long; it must not write. The broker may call
// SetReadDeadline from another goroutine while Read is running.
type Framed interface {
	// Line is the connection beneath. It is asked for once.
	Line() net.Conn
	// AppendHead appends to dst what must precede n bytes of payload on the line and
	// returns the longer slice. It is called by one goroutine at a time and must not
	// keep dst. For a WebSocket: a final, unmasked binary frame head of n bytes
	// (RFC 6455 section 5.2), at most 10 bytes.
	AppendHead(dst []byte, n int) []byte
	// Bind is called once, before the first Read. The function it gets takes one whole
	// control frame, copies it, never blocks, may be called from any goroutine and
	// returns net.ErrClosed when the connection has ended.
	Bind(control func(frame []byte) error)
}

// ErrClosed is what Attach returns when the broker no longer serves.
var ErrClosed = errors.New("broker is closed")
