package mqttclient_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/wire"
)

// uplink is a broker at the end of a slow line. It answers what has to be answered.
type uplink struct {
	rate  atomic.Int64 // bytes per second; 0 lets nothing pass
	deaf  atomic.Bool  // it acknowledges nothing
	dials atomic.Int64
	whole atomic.Int64 // PUBLISH packets that came whole
	says  chan []byte  // what to send to the client
	acks  atomic.Int64 // PUBACK packets that came
	got   atomic.Int64 // messages that the client has received
	ends  sync.WaitGroup
}

func (u *uplink) dial(context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	u.dials.Add(1)
	u.ends.Go(func() { u.serve(far) }) // ends with the pipe; slowly waits
	return socket{near}, nil
}

// socket is a pipe whose reader is told as one of a network is that it was closed on
// this side, which the MQTT library does not report.
type socket struct{ net.Conn }

func (s socket) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if errors.Is(err, io.ErrClosedPipe) {
		err = net.ErrClosed
	}
	return n, err
}

func (u *uplink) serve(far net.Conn) {
	over := make(chan struct{})
	defer close(over)
	defer far.Close()
	u.ends.Go(func() { // ends with serve
		for {
			select {
			case p := <-u.says:
				far.Write(p)
			case <-over:
				return
			}
		}
	})
	r := bufio.NewReader(&throttled{far, u})
	for {
		head, err := r.ReadByte()
		if err != nil {
			return
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		answer := []byte(nil)
		switch head >> 4 {
		case 1:
			answer = []byte{0x20, 2, 0, 0}
		case 3:
			u.whole.Add(1)
			if head&6 != 0 && !u.deaf.Load() {
				id := 2 + int(binary.BigEndian.Uint16(body))
				answer = []byte{0x40, 2, body[id], body[id+1]}
			}
		case 4:
			u.acks.Add(1)
		case 12:
			answer = []byte{0xd0, 0}
		}
		if answer != nil {
			u.ends.Go(func() { far.Write(answer) }) // ends when it has been read, or with the pipe
		}
	}
}

// throttled is read a tenth of a second's worth at a time.
type throttled struct {
	net.Conn
	u *uplink
}

func (t *throttled) Read(p []byte) (int, error) {
	const step = 100 * time.Millisecond
	for {
		time.Sleep(step)
		if n := t.u.rate.Load() / 10; n > 0 {
			return t.Conn.Read(p[:min(len(p), int(n))])
		}
	}
}

func picture(n int) wire.Message { return wire.Message{Topic: "cam/a/frame", Payload: make([]byte, n)} }

var report = wire.Message{Topic: "cam/a/result", Payload: []byte("ok"), QoS: 1}

// slowly runs a link at the end of a slow line, on fake time.
func slowly(t *testing.T, rate int64, f func(t *testing.T, u *uplink, l *mqttclient.Link)) {
	t.Helper()
	faketime.Run(t, func(t *testing.T) {
		u := &uplink{says: make(chan []byte)}
		u.rate.Store(rate)
		l, err := mqttclient.New(mqttclient.Options{ClientID: "a", Log: testkit.Log(t), Dial: u.dial, Receive: func(wire.Message) { u.got.Add(1) }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Serve(ctx) }() // ends with ctx
		if err := l.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(t, u, l)
		u.rate.Store(1 << 20)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		u.ends.Wait()
	})
}

// A picture that takes a minute is sent, and so is what has to be acknowledged behind
// it: bytes leave all the time.
func TestSlowLine(t *testing.T) {
	slowly(t, 8000, func(t *testing.T, u *uplink, l *mqttclient.Link) {
		sent := make(chan error, 1)
		go func() { sent <- l.Publish(t.Context(), picture(480_000)) }() // ends when it has left
		time.Sleep(time.Second)
		if err := l.Publish(t.Context(), report); err != nil {
			t.Errorf("behind a picture: %v", err)
		}
		if err := <-sent; err != nil {
			t.Errorf("the picture: %v", err)
		}
		err := l.Publish(t.Context(), picture(150_000), picture(150_000), picture(150_000), report)
		if err != nil {
			t.Errorf("three pictures and what is acknowledged behind them: %v", err)
		}
		if n, whole := u.dials.Load(), u.whole.Load(); n != 1 || whole != 6 {
			t.Errorf("%d connections and %d messages, want one connection and all 6", n, whole)
		}
	})
}

// While a picture leaves, which takes a minute, commands come in.
func TestSlowLineHears(t *testing.T) {
	slowly(t, 8000, func(t *testing.T, u *uplink, l *mqttclient.Link) {
		sent := make(chan error, 1)
		go func() { sent <- l.Publish(t.Context(), picture(480_000)) }() // ends when it has left
		time.Sleep(time.Second)
		for id := range byte(10) {
			u.says <- []byte{0x32, 7, 0, 1, 'c', 0, id + 1, 'g', 'o'} // PUBLISH, QoS 1
		}
		time.Sleep(time.Second)
		if n := u.got.Load(); n != 10 || len(sent) > 0 {
			t.Errorf("%d of 10 commands came while the picture left", n)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		time.Sleep(3 * time.Second)
		if n := u.acks.Load(); n != 10 {
			t.Errorf("%d of 10 commands were acknowledged", n)
		}
	})
}

// A line on which nothing moves any more is given up, in the middle of a picture too.
func TestStalledLine(t *testing.T) {
	slowly(t, 8000, func(t *testing.T, u *uplink, l *mqttclient.Link) {
		time.AfterFunc(30*time.Second, func() { u.rate.Store(0) })
		start := time.Now()
		err := l.Publish(t.Context(), picture(480_000), report)
		if took := time.Since(start); !errors.Is(err, mqttclient.ErrDown) || took < 40*time.Second || took > 43*time.Second {
			t.Errorf("%v after %s, want that it is down 10 s after the line stalled", err, took)
		}
	})
}

// A broker that takes everything and acknowledges nothing is left, however busy the
// line is.
func TestDeafBroker(t *testing.T) {
	slowly(t, 1<<20, func(t *testing.T, u *uplink, l *mqttclient.Link) {
		u.deaf.Store(true)
		go func() { // ends when the connection does
			for l.Publish(t.Context(), picture(50_000)) == nil {
			}
		}()
		start := time.Now()
		err := l.Publish(t.Context(), report)
		if took := time.Since(start); err == nil || took > 35*time.Second {
			t.Errorf("%v after %s, want an error after half a minute", err, took)
		}
		time.Sleep(5 * time.Second)
		if n := u.dials.Load(); n < 2 {
			t.Error("the connection was kept")
		}
	})
}

// TestClosedHere checks that a connection that is closed on this side is replaced at
// once, whatever it was closed over.
func TestClosedHere(t *testing.T) {
	for name, c := range map[string]struct {
		rate, later int64                                  // bytes per second; from 19 s on
		publish     func(t *testing.T, l *mqttclient.Link) // takes 30 s
	}{
		"no acknowledgement": {1 << 20, 1 << 20, func(t *testing.T, l *mqttclient.Link) {
			if err := l.Publish(t.Context(), report); err == nil {
				t.Error("published")
			}
		}},
		"stalled behind a caller who has left": {8000, 0, func(t *testing.T, l *mqttclient.Link) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := l.Publish(ctx, picture(480_000)); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			time.Sleep(29 * time.Second)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			slowly(t, c.rate, func(t *testing.T, u *uplink, l *mqttclient.Link) {
				u.deaf.Store(true)
				time.AfterFunc(19*time.Second, func() { u.rate.Store(c.later) })
				c.publish(t, l)
				time.Sleep(3 * time.Second)
				if n := u.dials.Load(); n != 2 {
					t.Errorf("%d connections, want a second one", n)
				}
			})
		})
	}
}
