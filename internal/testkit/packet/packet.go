// Package packet builds MQTT packets for tests byte by byte, malformed ones included.
package packet

import "strings"

// Raw puts a fixed header before a body. MQTT 3.1.1 section 2.2.
func Raw(first byte, body ...string) []byte {
	all := strings.Join(body, "")
	b := []byte{first}
	n := len(all)
	for ; n > 127; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(append(b, byte(n)), all...)
}

// String is a string with its length before it. MQTT 3.1.1 section 1.5.3.
func String(s string) string { return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s }

// Connect is a CONNECT without credentials, with a topic alias maximum in MQTT 5.
func Connect(version byte, id string) []byte {
	props := ""
	if version == 5 {
		props = "\x03\x22\x00\x0a"
	}
	return Raw(0x10, String("MQTT"), string([]byte{version, 2, 0, 60}), props, String(id))
}

// Subscribe is a SUBSCRIBE of one filter with the packet identifier 1.
func Subscribe(version byte, filter string, qos byte) []byte {
	props := ""
	if version == 5 {
		props = "\x00"
	}
	return Raw(0x82, "\x00\x01", props, String(filter), string([]byte{qos}))
}

// Publish is a PUBLISH. rest is what follows the topic.
func Publish(first byte, topic, rest string) []byte { return Raw(first, String(topic), rest) }
