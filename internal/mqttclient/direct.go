package mqttclient

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"

	"camqtt/internal/wire"
)

// direct writes messages of QoS 0 to the connection, between the packets of the
// client, each of which is one write. The client would copy every picture twice.
type direct struct {
	conn  net.Conn
	end   func(error)   // of the session
	plain *pulse        // conn, where a packet may be written in pieces; else nil
	one   chan struct{} // held while whole is in use
	whole []byte        // the packet, for a connection that takes one piece only
}

func newDirect(conn net.Conn, end func(error)) *direct {
	return &direct{conn: conn, end: end, plain: plain(conn), one: make(chan struct{}, 1)}
}

// plain returns the connection without TLS or a WebSocket that conn is; nil where it is another.
func plain(conn net.Conn) *pulse {
	switch c := conn.(type) {
	case *pulse:
		if c.piece == 0 {
			return c
		}
	case *sniffConn:
		return plain(c.Conn)
	case *eagerConn:
		return plain(c.Conn)
	}
	return nil
}

// begin writes what the kernel takes of a packet at once. Where finish is not nil it
// writes the rest, which may take long.
func (d *direct) begin(packet [][]byte) (finish func() error, err error) {
	if d.plain == nil {
		return func() error { return d.ended(d.writeWhole(packet)) }, nil
	}
	rest, err := d.plain.begin(packet)
	if rest == nil {
		return nil, d.ended(err)
	}
	return func() error { return d.ended(rest()) }, nil
}

// ended ends the session after an error: part of a packet may have left.
func (d *direct) ended(err error) error {
	if err != nil {
		d.end(err)
		d.conn.Close()
	}
	return err
}

func (d *direct) writeWhole(packet [][]byte) error {
	d.one <- struct{}{}
	defer func() { <-d.one }()
	d.whole = d.whole[:0]
	for _, b := range packet {
		d.whole = append(d.whole, b...)
	}
	_, err := d.conn.Write(d.whole)
	return err
}

// publishPacket returns a PUBLISH packet of QoS 0 [MQTT-3.3] in pieces.
func publishPacket(m wire.Message) [][]byte {
	flags := byte(0x30)
	if m.Retained {
		flags |= 1
	}
	n := 2 + len(m.Topic) + len(m.Head) + len(m.Payload)
	head := make([]byte, 0, 1+binary.MaxVarintLen32+n-len(m.Payload))
	head = binary.AppendUvarint(append(head, flags), uint64(n)) // as [MQTT-2.2.3] has it
	head = binary.BigEndian.AppendUint16(head, uint16(len(m.Topic)))
	return [][]byte{append(append(head, m.Topic...), m.Head...), m.Payload}
}

// writeDirect returns when the line has taken a message of QoS 0.
func (s *session) writeDirect(ctx context.Context, m wire.Message) error {
	finish, err := s.direct.begin(publishPacket(m))
	if finish != nil {
		done := make(chan error, 1)
		go func() { done <- finish() }() // ends when the packet has left, or the connection has ended
		select {
		case err = <-done:
		case <-s.lost:
			return ErrDown
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("%w (%w)", err, ErrDown)
	}
	return nil
}

// isDirect reports whether messages can go past the client: none has to be
// acknowledged, and so none may overtake one that has.
func isDirect(msgs []wire.Message) bool {
	return !slices.ContainsFunc(msgs, func(m wire.Message) bool {
		return m.QoS > 0 || len(m.Topic) > 65535 || len(m.Topic)+len(m.Head)+len(m.Payload) > maxPacket
	})
}

// maxPacket is a little less than what MQTT can say [MQTT-2.2.3].
const maxPacket = 268_435_000

// payload is all of a message's payload, in one piece.
func payload(m wire.Message) []byte {
	if len(m.Head) == 0 {
		return m.Payload
	}
	return slices.Concat(m.Head, m.Payload)
}
