package broker

import (
	"bytes"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"

	"github.com/mochi-mqtt/server/v2/packets"
)

// unhex reads bytes with blanks between.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rest reads what the broker says until it closes the connection.
func (c *client) rest(t testing.TB) []byte {
	t.Helper()
	_ = c.c.SetReadDeadline(time.Now().Add(testkit.Patience))
	b, err := io.ReadAll(c.r)
	if err != nil && !strings.Contains(err.Error(), "reset by peer") {
		t.Errorf("connection was not closed: %v", err)
	}
	return b
}

// What a broken packet is answered with, by the bytes. MQTT 3.1.1 is never told.
func TestViolations(t *testing.T) {
	b := start(t, Options{})
	for name, tc := range map[string]struct {
		send string
		code byte
	}{
		"AUTH":                                 {"f0 00", 0x82},
		"type 0":                               {"00 00", 0x82},
		"PINGRESP":                             {"d0 00", 0x82},
		"SUBACK with flags":                    {"91 03 0001 00", 0x81},
		"PINGRESP with flags":                  {"d1 00", 0x82},
		"PUBACK with an alias and a half":      {"40 08 0001 00 04 23000170", 0x81},
		"second CONNECT":                       {"10 0d 0004 4d515454 05 02 003c 00 0000", 0x82},
		"PINGREQ with a body":                  {"c0 01 00", 0x81},
		"PINGREQ with flags":                   {"c1 00", 0x81},
		"QoS 3":                                {"36 08 0001 61 0001 00 7878", 0x81},
		"DUP at QoS 0":                         {"38 04 0001 61 00", 0x81},
		"PUBLISH without identifier":           {"32 06 0001 61 0000 00", 0x82},
		"PUBLISH cut in its topic":             {"30 03 0005 61", 0x81},
		"PUBLISH cut in its properties":        {"30 05 0001 61 05 01", 0x81},
		"PUBLISH to a filter":                  {"30 06 0003 612f23 00", 0x81},
		"PUBLISH to nothing":                   {"30 03 0000 00", 0x81},
		"PUBLISH to no UTF-8":                  {"30 06 0003 61c028 00", 0x81},
		"PUBLISH to a surrogate":               {"30 06 0003 eda080 00", 0x81},
		"PUBLISH to U+0000":                    {"30 05 0002 6100 00", 0x81},
		"PUBLISH to a control character":       {"30 05 0002 610a 00", 0x81},
		"PUBLISH with an unknown property":     {"30 06 0001 61 02 7f00", 0x81},
		"PUBLISH with Receive Maximum":         {"30 07 0001 61 03 210001", 0x82},
		"PUBLISH with a subscription id":       {"30 06 0001 61 02 0b01", 0x82},
		"PUBLISH with format 2":                {"30 06 0001 61 02 0102", 0x82},
		"PUBLISH with two expiries":            {"30 0e 0001 61 0a 0200000001 0200000001", 0x82},
		"PUBLISH with a filter to answer to":   {"30 08 0001 61 04 08000123", 0x82},
		"PUBLISH with alias 0":                 {"30 07 0001 61 03 230000", 0x94},
		"PUBLISH with alias 11":                {"30 07 0001 61 03 23000b", 0x94},
		"PUBLISH with an alias for nothing":    {"30 06 0000 03 230001", 0x82},
		"PUBLISH with a long property length":  {"30 06 0001 61 8000 78", 0x81},
		"PUBACK without identifier":            {"40 02 0000", 0x82},
		"PUBACK with a reason nobody has":      {"40 03 0001 01", 0x82},
		"PUBACK that goes on":                  {"40 05 0001 00 00 00", 0x81},
		"PUBREL with flags":                    {"60 02 0001", 0x81},
		"SUBSCRIBE without filter":             {"82 03 0001 00", 0x81},
		"SUBSCRIBE without options":            {"82 06 0001 00 0001 70", 0x81},
		"SUBSCRIBE without identifier":         {"82 07 0000 00 0001 70 00", 0x81},
		"SUBSCRIBE to nothing":                 {"82 06 0001 00 0000 00", 0x81},
		"SUBSCRIBE at QoS 3":                   {"82 07 0001 00 0001 70 03", 0x81},
		"SUBSCRIBE with retain handling 3":     {"82 07 0001 00 0001 70 30", 0x81},
		"SUBSCRIBE with reserved options":      {"82 07 0001 00 0001 70 40", 0x81},
		"SUBSCRIBE to a#":                      {"82 08 0001 00 0002 6123 00", 0x81},
		"SUBSCRIBE to #/a":                     {"82 09 0001 00 0003 232f61 00", 0x81},
		"SUBSCRIBE to group +":                 {"82 10 0001 00 000a 2473686172652f2b2f70 00", 0x82},
		"SUBSCRIBE to a group's nothing":       {"82 0e 0001 00 0008 2473686172652f70 00", 0x82},
		"SUBSCRIBE shared and not local":       {"82 10 0001 00 000a 2473686172652f702f70 04", 0x82},
		"SUBSCRIBE with identifier 0":          {"82 09 0001 02 0b00 0001 70 00", 0x81},
		"SUBSCRIBE with two identifiers":       {"82 0b 0001 04 0b01 0b01 0001 70 00", 0x82},
		"SUBSCRIBE with a long identifier":     {"82 0a 0001 03 0b8000 0001 70 00", 0x81},
		"UNSUBSCRIBE without filter":           {"a2 03 0001 00", 0x81},
		"UNSUBSCRIBE with a subscription id":   {"a2 08 0001 02 0b01 0001 70", 0x81},
		"DISCONNECT with a reason nobody has":  {"e0 01 01", 0x82},
		"DISCONNECT with a server's reference": {"e0 06 00 04 1c000170", 0x82},
		"DISCONNECT that goes on":              {"e0 03 00 00 00", 0x81},
	} {
		c := join(t, b.addr, "five", 5)
		_, _ = c.c.Write(unhex(t, tc.send))
		if got, want := c.rest(t), []byte{0xe0, 1, tc.code}; !bytes.Equal(got, want) {
			t.Errorf("%s: answered with % x, wanted % x", name, got, want)
		}
	}
	for name, send := range map[string]string{
		"length of five bytes": "30 ff ff ff ff 01", "PUBACK that goes on": "40 03 0001 00", "QoS 3": "36 05 0001 61 0001",
		"DUP at QoS 0": "38 03 0001 61", "SUBSCRIBE to nothing": "82 05 0001 0000 00", "SUBSCRIBE at QoS 3": "82 06 0001 0001 70 03",
		"SUBSCRIBE without options": "82 05 0001 0001 70", "UNSUBSCRIBE without filter": "a2 02 0001", "DISCONNECT with a reason": "e0 01 00",
		"AUTH": "f0 00", "PUBLISH to U+0000": "30 04 0002 6100", "PUBLISH without identifier": "32 05 0001 61 0000",
	} {
		c := join(t, b.addr, "four", 4)
		_, _ = c.c.Write(unhex(t, send))
		if got := c.rest(t); len(got) != 0 {
			t.Errorf("3.1.1, %s: answered with % x, wanted nothing", name, got)
		}
	}
	if n := b.Stats().Recovered; n != 0 {
		t.Errorf("%d packets caused a panic", n)
	}
}

// What a broken CONNECT is answered with, and what a strange one is.
func TestConnects(t *testing.T) {
	b := start(t, Options{Limits: Limits{ConnectTime: time.Hour}}) // it is what came that ends a connection
	for name, tc := range map[string]struct{ send, want string }{
		"not MQTT":                         {"10 0c 0004 4d515455 04 02 003c 0000", ""},
		"an answer":                        {"20 02 0000", ""},
		"HTTP":                             {"47 45 54 20 2f 20 48 54 54 50", ""},
		"version 0":                        {"10 0d 0004 4d515454 00 02 003c 0001 61", "20 02 00 01"},
		"version 2":                        {"10 0d 0004 4d515454 02 02 003c 0001 61", "20 02 00 01"},
		"version 3 of MQTT":                {"10 0d 0004 4d515454 03 02 003c 0001 61", "20 02 00 01"},
		"version 4 of MQIsdp":              {"10 0f 0006 4d5149736470 04 02 003c 0001 61", "20 02 00 01"},
		"version 6 of MQIsdp":              {"10 0f 0006 4d5149736470 06 02 003c 0001 61", "20 02 00 01"},
		"version 6":                        {"10 0d 0004 4d515454 06 02 003c 0001 61", "20 03 00 84 00"},
		"3.1 without identifier":           {"10 0e 0006 4d5149736470 03 02 003c 0000", "20 02 00 02"},
		"reserved flag":                    {"10 0d 0004 4d515454 04 03 003c 0001 61", ""},
		"flags of the first byte":          {"11 0d 0004 4d515454 04 02 003c 0001 61", ""},
		"will QoS without will":            {"10 0d 0004 4d515454 04 0a 003c 0001 61", ""},
		"will QoS 3":                       {"10 13 0004 4d515454 04 1e 003c 0001 61 0001 77 0001 78", ""},
		"3.1.1 password without user":      {"10 10 0004 4d515454 04 42 003c 0001 61 0001 70", ""},
		"more than its fields":             {"10 10 0004 4d515454 04 02 003c 0001 61 0001 70", ""},
		"more than its fields, 5":          {"10 11 0004 4d515454 05 02 003c 00 0001 61 0001 70", "20 03 00 81 00"},
		"cut":                              {"10 0c 0004 4d515454 04 02 003c 0001", ""},
		"identifier with U+0000":           {"10 0f 0004 4d515454 05 02 003c 00 0002 6100", "20 03 00 85 00"},
		"Receive Maximum 0":                {"10 11 0004 4d515454 05 02 003c 03 210000 0001 61", "20 03 00 82 00"},
		"Maximum Packet Size 0":            {"10 13 0004 4d515454 05 02 003c 05 2700000000 0001 61", "20 03 00 82 00"},
		"property twice":                   {"10 14 0004 4d515454 05 02 003c 06 210001 210001 0001 61", "20 03 00 82 00"},
		"property of a PUBLISH":            {"10 10 0004 4d515454 05 02 003c 02 0101 0001 61", "20 03 00 82 00"},
		"authentication data without more": {"10 12 0004 4d515454 05 02 003c 04 16000170 0001 61", "20 03 00 82 00"},
		"will without topic":               {"10 13 0004 4d515454 05 06 003c 00 0001 61 00 0000 0001 78", "20 03 00 82 00"},
		"user name with U+0000":            {"10 12 0004 4d515454 05 82 003c 00 0001 61 0002 7500", ""},
	} {
		c := dial(t, b.addr)
		_, _ = c.c.Write(unhex(t, tc.send))
		if got := c.rest(t); !bytes.Equal(got, unhex(t, tc.want)) {
			t.Errorf("%s: answered with % x, wanted %s", name, got, tc.want)
		}
	}
	for name, send := range map[string]string{
		"3.1 with a bit that means nothing there":  "14 0f 0006 4d5149736470 03 03 003c 0001 61",
		"an empty password":                        "10 12 0004 4d515454 04 c2 003c 0001 61 0001 75 0000",
		"an empty password and an empty will":      "10 17 0004 4d515454 04 c6 003c 0001 61 0001 77 0000 0001 75 0000",
		"5, a password without user":               "10 11 0004 4d515454 05 42 003c 00 0001 61 0001 70",
		"5, a will with properties and no payload": "10 19 0004 4d515454 05 06 003c 00 0001 61 05 1800000005 0001 77 0000",
	} {
		c := dial(t, b.addr)
		_, _ = c.c.Write(append(unhex(t, send), 0xc0, 0)) // and PINGREQ at once
		if ack, err := c.recv(testkit.Patience); err != nil || ack.FixedHeader.Type != packets.Connack || ack.ReasonCode != 0 {
			t.Errorf("%s: refused: %#x, %v", name, ack.ReasonCode, err)
			continue
		}
		c.want(t, packets.Pingresp)
	}
	if n := b.Stats().Recovered; n != 0 {
		t.Errorf("%d packets caused a panic", n)
	}
}

// A will may be empty: it then removes what is retained.
func TestEmptyWill(t *testing.T) {
	b := start(t, Options{})
	for _, v := range []byte{4, 5} {
		pub := join(t, b.addr, "pub", v)
		pub.publish(t, "w", []byte("here"), 1, true)
		pub.want(t, packets.Puback)
		c := join(t, b.addr, "mortal", v, withWill("w", "", true))
		_ = c.c.Close()
		testkit.Until(t, "the retained message removed", func() bool { return len(b.retained.topics("w")) == 0 })
	}
}
