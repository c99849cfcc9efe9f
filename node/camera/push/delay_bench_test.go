package push_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
	"camqtt/node/camera/push"
)

// lastBlock is what a board sends last of a picture: half a packet.
const lastBlock = 700

// BenchmarkDelay is the time from a board's beginning to send the last block of a picture
// to the picture's being handed out by the source, looked at and found whole, at 25
// pictures a second of 640x480: as the body of a request, in the form of the widely
// copied sketch, and alone on a connection, which the board then closes.
func BenchmarkDelay(b *testing.B) {
	picture := testkit.JPEG(b, 640, 480, 1, 8)
	length := func(head, tail string) string {
		return fmt.Sprintf("POST /push/gate HTTP/1.1\r\nHost: bridge\r\nContent-Length: %d\r\n", len(head)+len(picture)+len(tail))
	}
	for name, how := range map[string]struct {
		head, tail string
		alone      bool // on its connection
	}{
		"body": {head: length("", "") + "Content-Type: image/jpeg\r\n\r\n"},
		"form": {head: length(sketchHead, sketchTail) + "Content-Type: multipart/form-data; boundary=RandomNerdTutorials\r\n\r\n" + sketchHead, tail: sketchTail},
		"tcp":  {head: "cam/gate\n", alone: true},
	} {
		b.Run(name, func(b *testing.B) {
			inbox, web, tcp := receiving(b)
			came := make(chan time.Time, 1)
			streaming(b, inbox, func(f camera.Frame) {
				came <- time.Now()
				f.Report(nil)
			})
			all := slices.Concat([]byte(how.head), picture, []byte(how.tail))
			m := &board{address: web, first: all[:len(all)-lastBlock], last: all[len(all)-lastBlock:]}
			if how.alone {
				m.address, m.alone = tcp, true
			}
			defer m.close()
			var took []time.Duration
			pace := time.NewTicker(40 * time.Millisecond)
			defer pace.Stop()
			for range b.N {
				<-pace.C
				began := m.send(b)
				took = append(took, (<-came).Sub(began))
				m.answered(b)
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(len(picture)), "bytes/picture")
		})
	}
}

// board sends pictures.
type board struct {
	address     string
	alone       bool // each on a connection of its own
	first, last []byte
	conn        net.Conn // nil: none
}

// send sends a picture and returns when it began to send the last of it.
func (m *board) send(b *testing.B) time.Time {
	if m.conn == nil {
		var err error
		if m.conn, err = net.Dial("tcp", m.address); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := m.conn.Write(m.first); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if _, err := m.conn.Write(m.last); err != nil {
		b.Fatal(err)
	}
	if m.alone {
		m.close()
	}
	return began
}

// answered waits for the answer, where the board does.
func (m *board) answered(b *testing.B) {
	if m.conn == nil {
		return
	}
	if answer, err := http.ReadResponse(bufio.NewReader(m.conn), nil); err != nil || answer.StatusCode != http.StatusOK {
		b.Fatalf("answer %+v: %v", answer, err)
	} else if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		b.Fatal(err)
	}
}

func (m *board) close() {
	if m.conn != nil {
		m.conn.Close()
		m.conn = nil
	}
}

// receiving is a running server whose camera is known by its address, and where its
// pictures come in.
func receiving(b *testing.B) (inbox *push.Inbox, web, tcp string) {
	inbox = push.NewInbox()
	o := push.Options{
		Log: slog.New(slog.DiscardHandler),
		Cameras: []push.Camera{{
			ID: "gate", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
			Deliver: func(ctx context.Context, jpeg []byte, at time.Time) error {
				return inbox.Deliver(ctx, camera.Frame{JPEG: jpeg, At: at})
			},
		}},
	}
	for _, l := range []*net.Listener{&o.HTTP, &o.TCP} {
		var err error
		if *l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			b.Fatal(err)
		}
	}
	s, err := push.New(o)
	if err != nil {
		b.Fatal(err)
	}
	ending(b, s.Serve)
	return inbox, o.HTTP.Addr().String(), o.TCP.Addr().String()
}

// streaming shows what comes into an inbox, with the checks that are usual for boards.
func streaming(b *testing.B, inbox *push.Inbox, emit func(camera.Frame)) {
	source, err := kinds.Open("push", camera.Options{Inbox: inbox})
	if err != nil {
		b.Fatal(err)
	}
	ending(b, func(ctx context.Context) error { return source.Stream(ctx, camera.Mode{}, emit) })
	testkit.Until(b, "the source takes pictures", func() bool {
		return !errors.Is(inbox.Deliver(b.Context(), camera.Frame{JPEG: nil}), camera.ErrClosed)
	})
}

// ending runs something until the benchmark ends.
func ending(b *testing.B, serve func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }() // ends with stop
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
}
