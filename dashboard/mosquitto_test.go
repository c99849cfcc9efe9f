package dashboard

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/packet"
)

// mosquitto returns a dashboard joined to a real broker, and a publisher there.
func mosquitto(t *testing.T) (*served, *RemoteCounts, net.Conn) {
	t.Helper()
	m := testkit.StartMosquitto(t, "log_type none")
	dial := func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", m.Addr) }
	var counts RemoteCounts
	s := serve(t, Options{Attach: Remote(RemoteOptions{Dial: dial, Counts: &counts}), Broker: func() []Counter { return RemoteCounters(&counts) }})
	pub, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pub.Close() })
	_, _ = pub.Write(packet.Connect(4, "publisher"))
	if _, err := io.ReadFull(pub, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, pub) }() // ends with the connection
	return s, &counts, pub
}

// subscribed is a browser that has subscribed to everything below cam/.
func subscribed(t *testing.T, s *served, version byte) *websocket.Conn {
	t.Helper()
	ws := mustDialWS(t, s)
	both := append(packet.Connect(version, fmt.Sprint("browser", version)), packet.Subscribe(version, "cam/#", 1)...)
	for _, part := range [][]byte{both[:5], both[5:20], both[20:]} { // [MQTT-6.0.0-4]
		if err := ws.WriteMessage(websocket.BinaryMessage, part); err != nil {
			t.Fatal(err)
		}
	}
	for _, typ := range []byte{0x20, 0x90} {
		if _, b, err := ws.ReadMessage(); err != nil || b[0] != typ {
			t.Fatalf("% x %v, want a packet that begins with %x", b, err, typ)
		}
	}
	return ws
}

func TestRemoteWithMosquittoKeepsTheOrder(t *testing.T) {
	for _, version := range []byte{4, 5} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			s, _, pub := mosquitto(t)
			ws := subscribed(t, s, version)
			jpg := strings.Repeat("j", 60000)
			for round := range 30 {
				n := byte(round)
				_, _ = pub.Write(bytes.Join([][]byte{
					packet.Publish(0x32, "cam/a/snapshot/meta", string([]byte{1, n})+"{}"),
					packet.Publish(0x30, "cam/a/snapshot", jpg), packet.Publish(0x30, "cam/b/frame", jpg),
					packet.Publish(0x32, "cam/a/result", string([]byte{2, n})+"{}"),
				}, nil))
				for _, want := range []string{"cam/a/snapshot/meta", "cam/a/snapshot", "cam/b/frame", "cam/a/result"} {
					_, b, err := ws.ReadMessage()
					if err != nil {
						t.Fatal(err)
					}
					topic := topicOf(t, b)
					if topic == "" && version == 5 { // by alias: mosquitto uses one where it may
						topic = want
					}
					if topic != want {
						t.Fatalf("round %d: %s, want %s", round, topic, want)
					}
					if b[0]&6 != 0 {
						ack := packet.Raw(0x40, string(packetID(b)))
						_ = ws.WriteMessage(websocket.BinaryMessage, ack)
					}
				}
				// While many acknowledgements are on their way mosquitto holds back what
				// wants one, and lets pictures pass it.
				_ = ws.WriteMessage(websocket.BinaryMessage, []byte{0xc0, 0})
				if _, b, err := ws.ReadMessage(); err != nil || b[0] != 0xd0 {
					t.Fatalf("% x %v, want PINGRESP", b, err)
				}
			}
		})
	}
}

// bodyOf returns a packet without its fixed head, which must say how long it is.
func bodyOf(t *testing.T, b []byte) []byte {
	t.Helper()
	n, size := binary.Uvarint(b[1:])
	if size <= 0 || int(n) != len(b)-1-size {
		t.Fatalf("a message of %d bytes is not one packet", len(b))
	}
	return b[1+size:]
}

func topicOf(t *testing.T, b []byte) string {
	body := bodyOf(t, b)
	return string(body[2 : 2+binary.BigEndian.Uint16(body)])
}

func packetID(b []byte) []byte {
	_, size := binary.Uvarint(b[1:])
	body := b[1+size:]
	at := 2 + int(binary.BigEndian.Uint16(body))
	return body[at : at+2]
}

func TestRemoteWithMosquittoShowsTheNewestToASlowBrowser(t *testing.T) {
	s, counts, pub := mosquitto(t)
	ws := subscribed(t, s, 4)
	const last = 300
	filler := strings.Repeat("j", 100000)
	for n := range last {
		_, _ = pub.Write(packet.Publish(0x30, "cam/a/frame", fmt.Sprintf("%04d%s", n, filler)))
	}
	_, _ = pub.Write(packet.Publish(0x30, "cam/a/stats", "the end"))
	// The browser has read nothing so far. All the broker has said is here when most
	// of it was replaced and no more comes.
	testkit.Until(t, "pictures are replaced", func() bool { return counts.Replaced.Load() > last/2 })
	var seen []string
	for {
		_, b, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if topicOf(t, b) == "cam/a/stats" {
			break
		}
		seen = append(seen, string(bodyOf(t, b)[2+len("cam/a/frame"):][:4]))
	}
	if len(seen) > last/2 || len(seen) == 0 || seen[len(seen)-1] != fmt.Sprintf("%04d", last-1) {
		t.Errorf("%d of %d pictures came, the last is %v: want few, and the newest last", len(seen), last, seen[max(0, len(seen)-1):])
	}
	for i := 1; i < len(seen); i++ {
		if seen[i] <= seen[i-1] {
			t.Errorf("picture %s came after %s", seen[i], seen[i-1])
		}
	}
	_, body := ask(t, "GET", s.url+"/metrics")
	if !strings.Contains(body, "camqtt_remote_connections 1") || strings.Contains(body, "camqtt_remote_replaced_total 0") {
		t.Error("/metrics does not show what was replaced")
	}
}
