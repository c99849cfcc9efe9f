package messagestore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"unicode/utf8"
)

// Message is a retained message.
type Message struct {
	Topic   string
	Payload []byte // empty: the topic has no message any more
	Picture bool   // it has a file of its own
	QoS     byte
	Expiry  int64 // Unix seconds; 0 never
	Properties
}

// Properties are those of MQTT 5 that stay with a message [MQTT-3.3.2-4] and after.
type Properties struct {
	ContentType   string
	ResponseTopic string
	Correlation   []byte
	Format        *byte // payload format indicator; nil: not given
	User          []UserProperty
}

// UserProperty is one of MQTT 5's user properties.
type UserProperty struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// record is a message as it is written: one line of JSON, so that its owner can read it,
// behind a checksum, so that damage is seen.
type record struct {
	Topic    string         `json:"topic"`
	Text     *string        `json:"text,omitempty"` // the payload if it is UTF-8
	Data     []byte         `json:"data,omitempty"` // the payload otherwise
	Picture  int            `json:"picture,omitempty"`
	CRC      uint32         `json:"crc,omitempty"` // of the picture's bytes
	QoS      byte           `json:"qos,omitempty"`
	Expiry   int64          `json:"expiry,omitempty"` // Unix seconds
	Type     string         `json:"content_type,omitempty"`
	Response string         `json:"response_topic,omitempty"`
	Relation []byte         `json:"correlation_data,omitempty"`
	Format   *byte          `json:"payload_format,omitempty"`
	User     []UserProperty `json:"user,omitempty"`
}

// line encodes a message, without the bytes of a picture.
func line(m *Message) ([]byte, error) {
	r := record{
		Topic: m.Topic, QoS: m.QoS, Expiry: m.Expiry,
		Type: m.ContentType, Response: m.ResponseTopic, Relation: m.Correlation, Format: m.Format, User: m.User,
	}
	switch {
	case len(m.Payload) == 0:
	case m.Picture:
		r.Picture, r.CRC = len(m.Payload), crc32.ChecksumIEEE(m.Payload)
	case utf8.Valid(m.Payload):
		s := string(m.Payload)
		r.Text = &s
	default:
		r.Data = m.Payload
	}
	j, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the retained message of %q: %w", m.Topic, err)
	}
	b := fmt.Appendf(nil, "%08x ", crc32.ChecksumIEEE(j))
	return append(append(b, j...), '\n'), nil
}

// ErrDamaged is wrapped by what is wrong with a message that was not written so.
var ErrDamaged = errors.New("damaged")

// parseLine decodes what line has encoded, without the line's end. body are the bytes of
// a picture.
func parseLine(b, body []byte) (m Message, err error) {
	sum, j, ok := bytes.Cut(b, []byte{' '})
	if !ok || len(sum) != 8 {
		return m, fmt.Errorf("no checksum: %w", ErrDamaged)
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || uint32(want) != crc32.ChecksumIEEE(j) {
		return m, fmt.Errorf("wrong checksum: %w", ErrDamaged)
	}
	var r record
	if err := json.Unmarshal(j, &r); err != nil {
		return m, fmt.Errorf("%w: %w", err, ErrDamaged)
	}
	m = Message{Topic: r.Topic, QoS: min(r.QoS, 2), Expiry: r.Expiry, Properties: Properties{
		ContentType: r.Type, ResponseTopic: r.Response, Correlation: r.Relation, Format: r.Format, User: r.User,
	}}
	switch {
	case r.Picture > 0:
		if len(body) != r.Picture || crc32.ChecksumIEEE(body) != r.CRC {
			return m, fmt.Errorf("%d bytes of picture, wanted %d with checksum %08x: %w", len(body), r.Picture, r.CRC, ErrDamaged)
		}
		m.Payload, m.Picture = body, true
	case r.Text != nil:
		m.Payload = []byte(*r.Text)
	default:
		m.Payload = r.Data
	}
	return m, nil
}
