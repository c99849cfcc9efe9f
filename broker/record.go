package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"unicode/utf8"

	"github.com/mochi-mqtt/server/v2/packets"
)

// record is one retained message as the store writes it: one line of JSON, so that
// its owner can read it, behind a checksum, so that damage is seen.
type record struct {
	Topic    string  `json:"topic"`
	Text     *string `json:"text,omitempty"` // the payload if it is UTF-8
	Data     []byte  `json:"data,omitempty"` // the payload otherwise
	Picture  int     `json:"picture,omitempty"`
	CRC      uint32  `json:"crc,omitempty"` // of the picture's bytes
	QoS      byte    `json:"qos,omitempty"`
	Expiry   int64   `json:"expiry,omitempty"` // Unix seconds
	Type     string  `json:"content_type,omitempty"`
	Response string  `json:"response_topic,omitempty"`
	Relation []byte  `json:"correlation_data,omitempty"`
	Format   *byte   `json:"payload_format,omitempty"`

	User []packets.UserProperty `json:"user,omitempty"`
}

// recordOf describes a message, with its payload or, for a picture, its checksum.
func recordOf(m *message) record {
	r := record{Topic: m.topic, QoS: m.qos, Expiry: m.expiry}
	switch {
	case m.kind != ordinary:
		r.Picture, r.CRC = len(m.load.b), crc32.ChecksumIEEE(m.load.b)
	case utf8.Valid(m.load.b):
		s := string(m.load.b)
		r.Text = &s
	default:
		r.Data = m.load.b
	}
	if p := m.props; p != nil {
		r.Type, r.Response, r.Relation, r.User = p.ContentType, p.ResponseTopic, p.CorrelationData, p.User
		if p.PayloadFormatFlag {
			r.Format = &p.PayloadFormat
		}
	}
	return r
}

// line encodes a record.
func (r record) line() ([]byte, error) {
	j, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode retained message of %q: %w", r.Topic, err)
	}
	b := fmt.Appendf(nil, "%08x ", crc32.ChecksumIEEE(j))
	return append(append(b, j...), '\n'), nil
}

var errDamaged = errors.New("damaged")

// parseLine decodes what line has encoded, without the line's end.
func parseLine(b []byte) (record, error) {
	var r record
	sum, j, ok := bytes.Cut(b, []byte{' '})
	if !ok || len(sum) != 8 {
		return r, fmt.Errorf("no checksum: %w", errDamaged)
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || uint32(want) != crc32.ChecksumIEEE(j) {
		return r, fmt.Errorf("wrong checksum: %w", errDamaged)
	}
	if err := json.Unmarshal(j, &r); err != nil {
		return r, fmt.Errorf("%w: %w", err, errDamaged)
	}
	return r, nil
}

// message turns a record back into a message, which it checks as if a client had sent
// it. A picture's bytes follow its line.
func (b *Broker) recorded(r record, pictureBytes []byte) (*message, error) {
	if err := checkTopic(r.Topic, &b.limits); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errDamaged)
	}
	m := &message{topic: r.Topic, qos: min(r.QoS, 2), retain: true, expiry: r.Expiry}
	_, m.kind = picture(b.base, r.Topic)
	switch {
	case r.Picture > 0:
		if m.kind == ordinary || m.kind == frame {
			return nil, fmt.Errorf("%q is no topic of a retained picture below %q", r.Topic, b.base)
		}
		if len(pictureBytes) != r.Picture || crc32.ChecksumIEEE(pictureBytes) != r.CRC {
			return nil, fmt.Errorf("%d bytes of picture, wanted %d with checksum %08x: %w", len(pictureBytes), r.Picture, r.CRC, errDamaged)
		}
		m.load = plain(pictureBytes)
	case m.kind != ordinary:
		return nil, fmt.Errorf("%q is a picture's topic but there is no picture: %w", r.Topic, errDamaged)
	case r.Text != nil:
		m.load = plain([]byte(*r.Text))
	default:
		m.load = plain(r.Data)
	}
	if r.Type != "" || r.Response != "" || len(r.Relation) > 0 || r.Format != nil || len(r.User) > 0 {
		m.props = &packets.Properties{ContentType: r.Type, ResponseTopic: r.Response, CorrelationData: r.Relation, User: r.User}
		if r.Format != nil {
			m.props.PayloadFormat, m.props.PayloadFormatFlag = *r.Format, true
		}
	}
	return m, nil
}
