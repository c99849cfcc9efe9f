package brokerproxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"camqtt/internal/mqtt"
	"camqtt/internal/wire"
)

var (
	errMalformed = errors.New("malformed MQTT packet")
	errTooLarge  = errors.New("MQTT packet too large")
)

// readPacket reads one whole packet from a broker, of at most limit bytes.
func readPacket(r *bufio.Reader, limit int) ([]byte, error) {
	var size, remaining int
	for n := 1; size == 0; n++ {
		head, err := r.Peek(n)
		switch {
		case err != nil && len(head) == 0:
			return nil, err
		case err != nil:
			return nil, insidePacket(err)
		case n > 5:
			return nil, fmt.Errorf("%w: its length takes more than four bytes", errMalformed)
		case n == 1:
			if err := checkType(head[0]); err != nil {
				return nil, err
			}
		}
		size, remaining = mqtt.FixedHeader(head)
	}
	if size+remaining > limit {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", errTooLarge, size+remaining, limit)
	}
	p := make([]byte, size+remaining)
	_, err := io.ReadFull(r, p)
	return p, insidePacket(err)
}

// checkType refuses packets that a broker does not send.
func checkType(first byte) error {
	switch t := first >> 4; t {
	case 0, mqtt.Connect, mqtt.Subscribe, mqtt.Unsubscribe, mqtt.Pingreq:
		return fmt.Errorf("%w: a broker sends none of type %d", errMalformed, t)
	case mqtt.Publish:
		if first&6 == 6 { // [MQTT-3.3.1-4]
			return fmt.Errorf("%w: a PUBLISH of QoS 3", errMalformed)
		}
	}
	return nil
}

// insidePacket tells the end of a stream inside a packet from one between packets.
func insidePacket(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// slot names what a packet may replace while neither has been sent: a picture of the
// same topic. The retained one is kept apart, because a viewer that asked for a
// fresh picture ignores it.
type slot struct {
	topic    string
	retained bool
}

// inspect finds pictures that newer ones may replace. ok is false for what must be sent in
// order and whole: other packets, higher QoS, and what sets or uses a topic alias.
func inspect(p []byte, version byte, base wire.Base) (s slot, kind wire.Kind, ok bool, err error) {
	if p[0]>>4 != mqtt.Publish {
		return slot{}, "", false, nil
	}
	size, _ := mqtt.FixedHeader(p)
	body := p[size:]
	if len(body) < 2 || len(body)-2 < int(binary.BigEndian.Uint16(body)) {
		return slot{}, "", false, fmt.Errorf("%w: a PUBLISH of %d bytes is too short for its topic", errMalformed, len(p))
	}
	topic := string(body[2 : 2+binary.BigEndian.Uint16(body)])
	if p[0]&6 != 0 {
		return slot{}, "", false, nil
	}
	_, kind, ok = base.Split(topic)
	if !ok || !kind.IsPicture() || version >= 5 && mayHaveAlias(p[0], body) {
		return slot{}, "", false, nil
	}
	return slot{topic: topic, retained: p[0]&1 != 0}, kind, true, nil
}

// mayHaveAlias reports whether a PUBLISH of MQTT 5 sets a topic alias, or is malformed.
func mayHaveAlias(first byte, body []byte) bool {
	n, bad := mqtt.PublishHeadSize(5, first, body, len(body))
	if bad != nil || n > len(body) {
		return true
	}
	m, bad := mqtt.ParseBrokerPublish(5, first, body[:n])
	return bad != nil || m.Alias() != 0
}
