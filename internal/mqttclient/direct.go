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
	end   func(error) // of the session
	todo  chan outgoing
	head  []byte // of the packet being written
	whole []byte // the packet, for a connection that takes one piece only
}

// outgoing is a message on its way; done holds what has become of it.
type outgoing struct {
	m    wire.Message
	done chan error
}

func newDirect(conn net.Conn, end func(error)) *direct {
	return &direct{conn: conn, end: end, todo: make(chan outgoing)}
}

// serve writes what comes until the connection has ended.
func (d *direct) serve(lost <-chan struct{}) {
	for {
		select {
		case o := <-d.todo:
			err := d.write(o.m)
			if err != nil { // part of a packet may have left
				d.end(err)
				d.conn.Close()
			}
			o.done <- err
		case <-lost:
			return
		}
	}
}

// write writes one PUBLISH packet of QoS 0 [MQTT-3.3].
func (d *direct) write(m wire.Message) error {
	flags := byte(0x30)
	if m.Retained {
		flags |= 1
	}
	n := 2 + len(m.Topic) + len(m.Head) + len(m.Payload)
	d.head = binary.AppendUvarint(append(d.head[:0], flags), uint64(n)) // as [MQTT-2.2.3] has it
	d.head = binary.BigEndian.AppendUint16(d.head, uint16(len(m.Topic)))
	d.head = append(append(d.head, m.Topic...), m.Head...)
	if p, ok := d.conn.(*pulse); ok {
		return p.writeAll(d.head, m.Payload)
	}
	d.whole = append(append(d.whole[:0], d.head...), m.Payload...)
	_, err := d.conn.Write(d.whole)
	return err
}

// writeDirect returns when the line has taken a message of QoS 0.
func (s *session) writeDirect(ctx context.Context, m wire.Message) error {
	o := outgoing{m, make(chan error, 1)}
	select {
	case s.direct.todo <- o:
	case <-s.lost:
		return ErrDown
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-o.done:
		if err != nil {
			return fmt.Errorf("%w (%w)", err, ErrDown)
		}
		return nil
	case <-s.lost:
		return ErrDown
	case <-ctx.Done():
		return context.Cause(ctx)
	}
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
