package testkit

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"camqtt/internal/wire"
)

// MQTT is a plain connection to a broker, of MQTT 3.1.1 or 5, that does no more
// than it is told. It sends no pings: its keep-alive is off.
type MQTT struct {
	conn net.Conn
	v5   bool

	mu     sync.Mutex
	id     uint16
	acks   map[uint16]chan []byte // body of SUBACK or PUBACK, without the id
	pongs  chan struct{}
	closed chan struct{}
	err    error
}

// MQTTOptions says how to connect.
type MQTTOptions struct {
	Addr           string // host:port
	V5             bool   // MQTT 5, else 3.1.1
	ID             string // client id
	User, Password string
	Will           *wire.Message // nil: none
	// Receive gets every message, one at a time, on a goroutine of its own.
	Receive func(wire.Message)
}

// DialMQTT connects until the test ends or Close.
func DialMQTT(t testing.TB, o MQTTOptions) *MQTT {
	t.Helper()
	m, err := NewMQTT(o)
	if err != nil {
		t.Fatalf("connect %s to %s: %v", o.ID, o.Addr, err)
	}
	t.Cleanup(m.Close)
	return m
}

// NewMQTT is DialMQTT for who wants the error.
func NewMQTT(o MQTTOptions) (*MQTT, error) {
	conn, err := net.DialTimeout("tcp", o.Addr, Patience)
	if err != nil {
		return nil, err
	}
	m := &MQTT{conn: conn, v5: o.V5, acks: map[uint16]chan []byte{}, pongs: make(chan struct{}, 1), closed: make(chan struct{})}
	level, flags := byte(4), byte(2) // clean session [MQTT-3.1.2-4]
	var props []byte
	if o.V5 {
		level, props = 5, []byte{0}
	}
	payload := text(nil, o.ID)
	if w := o.Will; w != nil {
		flags |= 4 | w.QoS<<3
		if w.Retained {
			flags |= 0x20
		}
		payload = text(text(append(payload, props...), w.Topic), string(w.Payload))
	}
	if o.User != "" {
		flags |= 0xc0
		payload = text(text(payload, o.User), o.Password)
	}
	body := append(text(nil, "MQTT"), level, flags, 0, 0)
	if err := m.write(0x10, append(append(body, props...), payload...)); err != nil {
		conn.Close()
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(Patience))
	r := bufio.NewReaderSize(conn, 64<<10)
	head, body, err := readPacket(r)
	if err == nil && (head>>4 != 2 || len(body) < 2 || body[1] != 0) {
		err = fmt.Errorf("refused: packet %d, %x", head>>4, body)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Time{})
	go m.read(r, o.Receive) // ends when the connection does; Close waits
	return m, nil
}

// Close says goodbye and waits until nothing more is received.
func (m *MQTT) Close() {
	_ = m.write(0xe0, nil)
	m.conn.Close()
	<-m.closed
}

// Drop ends the connection without a word, so that the broker sends the will.
func (m *MQTT) Drop() {
	m.conn.Close()
	<-m.closed
}

// Ping returns when the broker has answered, and so has read all that was sent
// before. What it had to send by then has been received.
func (m *MQTT) Ping() error {
	if err := m.write(0xc0, nil); err != nil {
		return err
	}
	select {
	case <-m.pongs:
		return nil
	case <-m.closed:
		return fmt.Errorf("connection ended: %w", m.err)
	case <-time.After(Patience):
		return errors.New("not answered")
	}
}

// Gone is closed when the connection has ended.
func (m *MQTT) Gone() <-chan struct{} { return m.closed }

// Subscribe returns when the broker has acknowledged all filters, with the code
// of each: 0, 1 or 2 when granted.
func (m *MQTT) Subscribe(qos byte, filters ...string) ([]byte, error) {
	id, ack := m.expect()
	body := binary.BigEndian.AppendUint16(nil, id)
	if m.v5 {
		body = append(body, 2, 0x0b, 1) // a subscription identifier, as Home Assistant sends
	}
	for _, f := range filters {
		body = append(text(body, f), qos)
	}
	codes, err := m.await(0x82, body, id, ack)
	if err == nil && m.v5 {
		codes = skipProperties(codes)
	}
	return codes, err
}

// Publish returns when a message of QoS 0 has been written, and when one of QoS
// 1 is acknowledged.
func (m *MQTT) Publish(w wire.Message) error {
	head := byte(0x30) | w.QoS<<1
	if w.Retained {
		head |= 1
	}
	body := text(nil, w.Topic)
	var id uint16
	var ack chan []byte
	if w.QoS > 0 {
		id, ack = m.expect()
		body = binary.BigEndian.AppendUint16(body, id)
	}
	if m.v5 {
		body = append(body, 0)
	}
	body = append(body, w.Payload...)
	if w.QoS == 0 {
		return m.write(head, body)
	}
	_, err := m.await(head, body, id, ack)
	return err
}

func (m *MQTT) expect() (uint16, chan []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.id++
	if m.id == 0 {
		m.id = 1
	}
	ack := make(chan []byte, 1)
	m.acks[m.id] = ack
	return m.id, ack
}

func (m *MQTT) await(head byte, body []byte, id uint16, ack chan []byte) ([]byte, error) {
	defer func() {
		m.mu.Lock()
		delete(m.acks, id)
		m.mu.Unlock()
	}()
	if err := m.write(head, body); err != nil {
		return nil, err
	}
	select {
	case b := <-ack:
		return b, nil
	case <-m.closed:
		return nil, fmt.Errorf("connection ended: %w", m.err)
	case <-time.After(Patience):
		return nil, errors.New("not acknowledged")
	}
}

func (m *MQTT) write(head byte, body []byte) error {
	packet := []byte{head}
	n := len(body)
	for ; n >= 0x80; n >>= 7 {
		packet = append(packet, byte(n)|0x80)
	}
	packet = append(append(packet, byte(n)), body...)
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := m.conn.Write(packet)
	return err
}

func (m *MQTT) read(r *bufio.Reader, receive func(wire.Message)) {
	defer close(m.closed)
	for {
		head, body, err := readPacket(r)
		if err != nil {
			m.err = err
			return
		}
		switch head >> 4 {
		case 3:
			m.message(head, body, receive)
		case 13: // PINGRESP
			select {
			case m.pongs <- struct{}{}:
			default: // not asked for
			}
		case 4, 9: // PUBACK, SUBACK
			m.mu.Lock()
			if ack := m.acks[binary.BigEndian.Uint16(body)]; ack != nil {
				ack <- body[2:]
			}
			m.mu.Unlock()
		}
	}
}

// message takes a PUBLISH apart.
func (m *MQTT) message(head byte, body []byte, receive func(wire.Message)) {
	n := int(binary.BigEndian.Uint16(body))
	w := wire.Message{Topic: string(body[2 : 2+n]), QoS: head >> 1 & 3, Retained: head&1 != 0}
	body = body[2+n:]
	if w.QoS > 0 {
		defer m.write(0x40, body[:2]) // the shortest PUBACK is good in both versions
		body = body[2:]
	}
	if m.v5 {
		body = skipProperties(body)
	}
	w.Payload = body
	if receive != nil {
		receive(w)
	}
}

// skipProperties leaves out what MQTT 5 has in front of a payload.
func skipProperties(b []byte) []byte {
	n, at := 0, 0
	for shift := 0; ; shift += 7 {
		n |= int(b[at]&0x7f) << shift
		at++
		if b[at-1] < 0x80 {
			return b[at+n:]
		}
	}
}

func readPacket(r *bufio.Reader) (head byte, body []byte, err error) {
	if head, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	n := 0
	for shift := 0; ; shift += 7 {
		c, err := r.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			break
		}
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return head, body, err
}

func text(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}
