package broker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
	"camqtt/internal/mqtt"
	"camqtt/internal/testkit/faketime"
)

// framing is a connection as a WebSocket adapter would be: what goes out is framed by
// the broker with a head of 0x82 and four bytes of length; what comes in is framed the
// same way and unframed here; an inbound frame 0x89 is answered with 0x8a.
type framing struct {
	net.Conn
	line    net.Conn // hides the socket when the broker shall not find it
	r       *bufio.Reader
	left    int
	control func([]byte) error
	closes  int
	mu      sync.Mutex
}

func (f *framing) Line() net.Conn { return f.line }

func (f *framing) AppendHead(dst []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0x82), uint32(n))
}

func (f *framing) Bind(control func([]byte) error) { f.control = control }

func (f *framing) Write([]byte) (int, error) { return 0, errors.New("the broker must not call Write") }

func (f *framing) Close() error {
	f.mu.Lock()
	f.closes++
	f.mu.Unlock()
	return f.Conn.Close()
}

func (f *framing) Read(p []byte) (int, error) {
	for f.left == 0 {
		var head [5]byte
		if _, err := io.ReadFull(f.r, head[:]); err != nil {
			return 0, err
		}
		n := int(binary.BigEndian.Uint32(head[1:]))
		if head[0] == 0x82 {
			f.left = n
			continue
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(f.r, body); err != nil {
			return 0, err
		}
		head[0] = 0x8a
		if err := f.control(append(head[:], body...)); err != nil {
			return 0, err
		}
	}
	n, err := f.r.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

// unframing is the other end: it gives a client plain MQTT and counts frames.
type unframing struct {
	net.Conn
	t     testing.TB
	r     *bufio.Reader
	frame bytes.Reader
	pongs []string
}

func (u *unframing) Write(p []byte) (int, error) {
	b := binary.BigEndian.AppendUint32([]byte{0x82}, uint32(len(p)))
	if _, err := u.Conn.Write(append(b, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (u *unframing) ping(s string) {
	b := binary.BigEndian.AppendUint32([]byte{0x89}, uint32(len(s)))
	_, _ = u.Conn.Write(append(b, s...))
}

func (u *unframing) Read(p []byte) (int, error) {
	for u.frame.Len() == 0 {
		var head [5]byte
		if _, err := io.ReadFull(u.r, head[:]); err != nil {
			return 0, err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(u.r, body); err != nil {
			return 0, err
		}
		switch head[0] {
		case 0x82:
			if hl, n := mqtt.FixedHeader(body); hl+n != len(body) {
				u.t.Errorf("a frame of %d bytes holds a packet of %d", len(body), hl+n)
			}
			u.frame.Reset(body)
		case 0x8a:
			u.pongs = append(u.pongs, string(body))
		default:
			return 0, fmt.Errorf("frame type %#x: something came between a head and its packet", head[0])
		}
	}
	return u.frame.Read(p)
}

type hidden struct{ net.Conn }

// framed gives a client whose connection is Framed, over TCP.
func framed(t *testing.T, b *running, socket bool) (*client, *unframing, *framing) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f := &framing{Conn: far, line: far, r: bufio.NewReader(far)}
	if !socket {
		f.line = hidden{far}
	}
	go func() { // ends with the client or the broker
		if err := b.Attach(context.Background(), f); err != nil {
			t.Errorf("Attach: %v", err)
		}
	}()
	u := &unframing{Conn: near, t: t, r: bufio.NewReaderSize(near, 4096)}
	t.Cleanup(func() { _ = near.Close() })
	return newClient(u), u, f
}

// One MQTT packet is one frame, control frames come between packets and in order, and
// the pictures' bytes are the published ones, to a viewer that reads at once and to one
// that is slow, with and without a socket to try.
func TestFramed(t *testing.T) {
	for _, socket := range []bool{true, false} {
		b := start(t, Options{})
		c, u, f := framed(t, b, socket)
		c.joins(t, "page", 4)
		c.subscribe(t, 1, "cam/#")
		pub := join(t, b.addr, "pub", 4)
		go swallow(pub) // ends with the connection
		body := bytes.Repeat([]byte("0123456789abcdef"), 20000)
		const n = 200
		go func() { // ends after n
			for i := range n {
				pub.publish(t, "cam/front/frame", body, 0, false)
				pub.publish(t, "cam/front/result", fmt.Append(nil, i), 1, false)
				if i%10 == 0 {
					u.ping(fmt.Sprint("p", i))
				}
			}
		}()
		for results := 0; results < n; {
			pk := c.message(t)
			if pk.TopicName == "cam/front/result" {
				if got := string(pk.Payload); got != fmt.Sprint(results) {
					t.Fatalf("result %s, wanted %d", got, results)
				}
				results++
			} else if !bytes.Equal(pk.Payload, body) {
				t.Fatal("a picture was changed on its way")
			}
		}
		u.ping("last")
		c.sync(t)
		if len(u.pongs) != n/10+1 || u.pongs[0] != "p0" || u.pongs[n/10] != "last" {
			t.Errorf("pongs %q, wanted %d in order", u.pongs, n/10+1)
		}
		b.stop()
		f.mu.Lock()
		if f.closes != 1 {
			t.Errorf("Close was called %d times, wanted once", f.closes)
		}
		f.mu.Unlock()
	}
}

func TestAttachBeforeAndAfterServe(t *testing.T) {
	b, err := New(Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, far := net.Pipe()
	if err := b.Attach(ctx, far); !errors.Is(err, context.Canceled) {
		t.Errorf("Attach with a done ctx: %v", err)
	}
	early := pipe(t, b)
	r := serve(t, b, "")
	early.joins(t, "early", 4)
	r.stop()
	early.closedBy(t)
	near, far := net.Pipe()
	if err := b.Attach(context.Background(), far); !errors.Is(err, ErrClosed) {
		t.Errorf("Attach after Serve: %v, wanted ErrClosed", err)
	}
	if _, err := near.Write([]byte{0}); err == nil {
		t.Error("the connection was left open")
	}
	if err := b.Serve(context.Background()); err == nil {
		t.Error("a second Serve was allowed")
	}
}

// A whole life inside a bubble: nothing is left behind, or synctest.Test fails.
func TestBubble(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		never, err := access.Open(access.Options{Anonymous: access.AnonymousNever})
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(Options{Log: quiet(), Access: never})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Serve(ctx) }() // ends with ctx
		var ends sync.WaitGroup
		attach := func(ctx context.Context) *client {
			near, far := net.Pipe()
			ends.Go(func() { // ends with ctx or the client
				if err := b.Attach(ctx, far); err != nil {
					t.Errorf("Attach: %v", err)
				}
			})
			return newClient(near)
		}
		cam, viewer := attach(t.Context()), attach(t.Context())
		cam.joins(t, "cam", 4, withWill("cam/front/status", "offline", true))
		viewer.joins(t, "viewer", 5)
		viewer.subscribe(t, 1, "cam/#")
		own, end := context.WithCancel(t.Context())
		short := attach(own)
		short.joins(t, "short", 5)
		stuck := attach(t.Context()) // reads nothing more after CONNACK
		stuck.joins(t, "stuck", 4)
		_ = stuck.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: 1, Filters: packets.Subscriptions{{Filter: "cam/#", Qos: 1}}})
		for i := range 100 {
			cam.publish(t, "cam/front/frame", make([]byte, 50000), 0, false)
			cam.publish(t, "cam/front/result", fmt.Append(nil, i), 1, false)
			cam.want(t, packets.Puback)
			if pk := viewer.message(t); pk.TopicName != "cam/front/frame" {
				t.Fatalf("got %s, wanted the frame first", pk.TopicName)
			}
			viewer.message(t)
			time.Sleep(100 * time.Millisecond)
		}
		end()
		if pk := short.want(t, packets.Disconnect); pk.ReasonCode != packets.ErrServerShuttingDown.Code {
			t.Errorf("DISCONNECT %#x, wanted 0x8b", pk.ReasonCode)
		}
		time.Sleep(time.Minute) // the stuck one is given up
		if n := b.Stats().Clients; n != 2 {
			t.Errorf("%d clients, wanted 2", n)
		}
		begun := time.Now()
		cancel()
		gone := make(chan packets.Packet)
		go func() { gone <- viewer.want(t, packets.Disconnect) }() // ends with the DISCONNECT
		if pk := <-gone; pk.ReasonCode != packets.ErrServerShuttingDown.Code {
			t.Errorf("DISCONNECT %#x, wanted 0x8b", pk.ReasonCode)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if d := time.Since(begun); d > 300*time.Millisecond {
			t.Errorf("Serve took %s to end", d)
		}
		ends.Wait()
		if n := b.buffers.Out(); n != 0 {
			t.Errorf("%d buffers are not back", n)
		}
	})
}
