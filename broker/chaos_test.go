package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"camqtt/internal/testkit"

	"github.com/mochi-mqtt/server/v2/packets"
)

// sealed is a picture that shows whether its bytes were mixed with another's.
func sealed(r *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := 4; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(p[i:], r.Uint64())
	}
	binary.BigEndian.PutUint32(p, crc32.ChecksumIEEE(p[4:]))
	return p
}

func intact(p []byte) bool {
	return len(p) >= 4 && binary.BigEndian.Uint32(p) == crc32.ChecksumIEEE(p[4:])
}

var (
	chaosTopics  = []string{"cam/a/frame", "cam/b/frame", "cam/a/preview", "cam/b/snapshot", "cam/a/status", "cam/b/result", "x", "x/y"}
	chaosFilters = []string{"#", "cam/#", "cam/+/frame", "cam/a/preview", "$share/g/cam/#", "$share/g/x", "x/#", "$SYS/#", "+", "bad#"}
)

// misbehave is one client's life: it does things at random until one of them ends it.
func misbehave(r *rand.Rand, c *client) {
	defer c.c.Close()
	v := []byte{3, 4, 4, 5, 5}[r.IntN(5)]
	id := fmt.Sprint("chaos", r.IntN(8))
	_, err := c.try(id, v, func(p *packets.Packet) {
		if v == 3 {
			p.Connect.ProtocolName = []byte("MQIsdp")
		}
		p.Connect.Clean = r.IntN(2) == 0
		if v == 5 {
			p.Properties.SessionExpiryInterval, p.Properties.SessionExpiryIntervalFlag = uint32(r.IntN(3)), true
			p.Properties.ReceiveMaximum = uint16(1 + r.IntN(4))
		}
		if r.IntN(2) == 0 {
			p.Connect.WillFlag, p.Connect.WillTopic, p.Connect.WillPayload, p.Connect.WillRetain = true, "cam/a/status", []byte("offline"), r.IntN(2) == 0
			if v == 5 {
				p.Connect.WillProperties.WillDelayInterval = uint32(r.IntN(3))
			}
		}
	})
	if err != nil {
		return
	}
	reads := r.IntN(4) > 0
	stop := make(chan struct{})
	defer func() { <-stop }()
	defer c.c.Close()
	go func() { // ends with the connection
		defer close(stop)
		for reads {
			pk, err := c.recv(5 * time.Second)
			if err != nil {
				return
			}
			c.ack(pk)
		}
	}()
	for c.step(r) {
	}
}

// step does one thing. false: it was the last.
func (c *client) step(r *rand.Rand) bool {
	topic := chaosTopics[r.IntN(len(chaosTopics))]
	c.id++
	pk := packets.Packet{PacketID: c.id}
	switch r.IntN(20) {
	default:
		qos := byte(r.IntN(3))
		payload := []byte("text")
		if topic[len(topic)-1] != 'y' && r.IntN(2) == 0 {
			payload, qos = sealed(r, 1500+r.IntN(40000)), 0
		}
		pk.FixedHeader = packets.FixedHeader{Type: packets.Publish, Qos: qos, Retain: r.IntN(4) == 0}
		pk.TopicName, pk.Payload = topic, payload
		if qos == 0 {
			pk.PacketID = 0
		}
	case 0, 1, 2:
		pk.FixedHeader.Type = packets.Subscribe
		pk.Filters = packets.Subscriptions{{Filter: chaosFilters[r.IntN(len(chaosFilters))], Qos: byte(r.IntN(3))}}
	case 3:
		pk.FixedHeader.Type = packets.Unsubscribe
		pk.Filters = packets.Subscriptions{{Filter: chaosFilters[r.IntN(len(chaosFilters))]}}
	case 4:
		_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
		return false
	case 5:
		junk := make([]byte, r.IntN(40))
		for i := range junk {
			junk[i] = byte(r.Uint32())
		}
		_, _ = c.c.Write(junk)
		return false
	case 6:
		b, _ := encode(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: topic, Payload: make([]byte, 9000)}, c.v)
		_, _ = c.c.Write(b[:r.IntN(len(b))])
		return false
	case 7:
		_, _ = c.c.Write([]byte{0x82, 6, 0, 1, 0, 0, 1, 'p'})
		return false
	}
	_ = c.c.SetWriteDeadline(time.Now().Add(time.Second))
	return c.send(pk) == nil
}

// Random clients over TCP, pipes and frames for three seconds: healthy ones notice
// nothing, pictures stay whole, and in the end everything is given back.
func TestChaos(t *testing.T) {
	before := runtime.NumGoroutine()
	b := start(t, Options{Data: t.TempDir(), Limits: Limits{StoreEvery: 50 * time.Millisecond, WriteTimeout: 500 * time.Millisecond}})
	end := time.Now().Add(3 * time.Second)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() { // ends after three seconds
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for time.Now().Before(end) {
				var conn net.Conn
				switch i % 3 {
				case 0:
					near, far := net.Pipe()
					wg.Go(func() { _ = b.Attach(context.Background(), far) }) // ends with the client
					conn = near
				default:
					var err error
					if conn, err = net.Dial("tcp", b.addr); err != nil {
						if time.Now().Before(end) { // afterwards the broker stops, and resets who waits to be accepted
							t.Errorf("dial: %v", err)
						}
						return
					}
				}
				misbehave(r, newClient(conn))
			}
		})
	}
	r := rand.New(rand.NewPCG(99, 1))
	cam, viewer := join(t, b.addr, "healthy-cam", 4), join(t, b.addr, "healthy-viewer", 5)
	viewer.subscribe(t, 1, "cam/healthy/#")
	watch := join(t, b.addr, "healthy-watch", 4)
	watch.subscribe(t, 0, "cam/#")
	wg.Go(func() { // ends when the broker has closed the connection
		for {
			pk, err := watch.recv(20 * time.Second)
			if err != nil {
				return
			}
			if pk.FixedHeader.Type == packets.Publish && len(pk.Payload) > 1000 && !intact(pk.Payload) && bytes.IndexFunc(pk.Payload, func(r rune) bool { return r != 0 }) >= 0 {
				t.Errorf("a picture on %s was mixed with another", pk.TopicName)
			}
		}
	})
	n := 0
	for ; time.Now().Before(end); n++ {
		cam.publish(t, "cam/healthy/frame", sealed(r, 30000), 0, false)
		cam.publish(t, "cam/healthy/result", fmt.Append(nil, n), 1, false)
		cam.want(t, packets.Puback)
		if pk := viewer.message(t); pk.TopicName != "cam/healthy/frame" || !intact(pk.Payload) {
			t.Fatalf("round %d: %s came first, or its bytes were changed", n, pk.TopicName)
		}
		if pk := viewer.message(t); string(pk.Payload) != fmt.Sprint(n) {
			t.Fatalf("round %d: result %s", n, pk.Payload)
		}
	}
	t.Logf("%d rounds, %+v", n, b.Stats())
	b.stop()
	wg.Wait()
	if n := b.buffers.Out(); n != 0 {
		t.Errorf("%d buffers are not back", n)
	}
	if s := b.Stats(); s.Recovered != 0 || s.Clients != 0 || s.Sessions > 16 { // 8 identifiers, and as many inside
		t.Errorf("in the end: %+v", s)
	}
	testkit.Until(t, "goroutines ended", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// FuzzBroker throws packets at a broker that listens: after a CONNECT or in its place.
// It must go on serving, and nothing may cause a panic.
func FuzzBroker(f *testing.F) {
	b := start(f, Options{Limits: Limits{Packet: 1 << 16}})
	for _, v := range []byte{4, 5} {
		for _, pk := range []packets.Packet{
			connectPacket("c", v, withWill("w", "x", true)),
			{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, TopicName: "a/b", Payload: []byte("p"), PacketID: 1},
			{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "cam/a/frame", Payload: make([]byte, 1100)},
			{FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: 2, Filters: packets.Subscriptions{{Filter: "$share/g/a", Qos: 1}}},
			{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe}, PacketID: 3, Filters: packets.Subscriptions{{Filter: "a"}}},
			{FixedHeader: packets.FixedHeader{Type: packets.Pubrec}, PacketID: 0x8000},
			{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}},
		} {
			p, err := encode(pk, v)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(v, true, p)
			f.Add(v, false, p)
		}
	}
	f.Add(byte(5), true, []byte{0x82, 6, 0, 1, 0, 0, 1, 'p'})
	healthy := join(f, b.addr, "healthy", 4)
	f.Fuzz(func(t *testing.T, v byte, joined bool, p []byte) {
		c := pipe(t, b.Broker)
		if joined {
			if _, err := c.try("fuzz", 4+v%2); err != nil {
				t.Fatal(err)
			}
		}
		go func() { // ends with the connection
			_, _ = c.c.Write(p)
			_, _ = c.c.Write([]byte{0xe0, 0})
		}()
		for {
			if _, err := c.recv(20 * time.Millisecond); err != nil {
				break
			}
		}
		_ = c.c.Close()
		healthy.sync(t)
		if n := b.Stats().Recovered; n != 0 {
			t.Fatalf("% x caused a panic", p)
		}
	})
}
