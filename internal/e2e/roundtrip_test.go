package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"testing"
	"time"

	"camqtt/broker"
	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// delayed joins two connections by a line on which everything takes a time each way.
func delayed(a, b net.Conn, oneWay time.Duration) {
	type piece struct {
		at   time.Time
		data []byte
	}
	way := func(from, to net.Conn) {
		line := make(chan piece, 4096)
		go func() { // ends with the line
			defer to.Close()
			for p := range line {
				time.Sleep(time.Until(p.at))
				if _, err := to.Write(p.data); err != nil {
					_ = from.Close()
				}
			}
		}()
		go func() { // ends with the connection
			defer close(line)
			for {
				buf := make([]byte, 64<<10)
				n, err := from.Read(buf)
				if n > 0 {
					line <- piece{time.Now().Add(oneWay), buf[:n]}
				}
				if err != nil {
					return
				}
			}
		}()
	}
	way(a, b)
	way(b, a)
}

// asker is a viewer of the porch at the end of a long line.
type asker struct {
	*viewer.Viewer
	link *mqttclient.Link
	done chan error
}

// asks connects as commands do, or, when it stays, as a dashboard does.
func (h *house) asks(ctx context.Context, oneWay time.Duration, stays bool) *asker {
	late := new(lateLink)
	vo := viewer.Options{Link: late, Log: testkit.Log(h.t)}
	if !stays {
		vo.Camera = "porch"
	}
	v, err := viewer.New(vo)
	if err != nil {
		h.t.Fatal(err)
	}
	late.Link, err = mqttclient.New(mqttclient.Options{
		ClientID: v.ClientID(), Log: testkit.Log(h.t), OneShot: !stays, Eager: !stays,
		Subscriptions: v.Subscriptions(), Receive: v.Receive, Up: v.LinkUp,
		Dial: func(ctx context.Context) (net.Conn, error) {
			conn, err := h.dial(false)(ctx)
			if err != nil {
				return nil, err
			}
			near, far := net.Pipe()
			delayed(far, conn, oneWay)
			return near, nil
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	a := &asker{v, late.Link, make(chan error, 1)}
	go func() { a.done <- a.link.Serve(ctx) }() // ends with ctx
	return a
}

// A picture costs one round trip beside its exposure, which takes no time here: on a
// connection that is open, and on one that is not, but for the network's own handshake.
func TestSnapRoundTrips(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		b, err := broker.New(broker.Options{Log: testkit.Log(t)})
		if err != nil {
			t.Fatal(err)
		}
		h := &house{t: t, broker: b, done: make(chan error, 3)}
		const roundTrip = 100 * time.Millisecond
		leaveBroker, leavePorch := h.start("broker", b), h.start("porch", h.porch())
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		page := h.asks(ctx, roundTrip/2, true)
		if err := page.link.Await(ctx); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		trips := func(name string, ask func() (viewer.Picture, error)) {
			began := time.Now()
			p, err := ask()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if took := float64(time.Since(began)) / float64(roundTrip); took > 1.2 {
				t.Errorf("%s: %.1f round trips, want at most 1.2", name, took)
			}
			if age := time.Since(p.At); age < 0 || age > 2*roundTrip {
				t.Errorf("%s: the picture is %s old", name, age)
			}
			pass(time.Minute)
		}
		snap := func(a *asker) func() (viewer.Picture, error) {
			return func() (viewer.Picture, error) { return a.Snap(ctx, "porch", viewer.Ask{}) }
		}
		trips("snap on an open connection", snap(page))
		trips("still on an open connection", func() (viewer.Picture, error) { return page.Still(ctx, "porch", viewer.Ask{}) })
		if c, _ := page.Camera("porch"); c.Info.ID != "porch" {
			t.Error("the camera is not known")
		}
		var command *asker
		trips("snap on a new connection", func() (viewer.Picture, error) {
			command = h.asks(ctx, roundTrip/2, false)
			if err := command.link.Await(ctx); err != nil {
				return viewer.Picture{}, err
			}
			return command.Snap(ctx, "porch", viewer.Ask{})
		})
		stop()
		<-page.done
		<-command.done
		leavePorch()
		h.end(1)
		leaveBroker()
		h.end(1)
		pass(time.Second) // what is on the line arrives
	})
}

// BenchmarkSnapDelay runs camqtt snap at the end of a line of 100 ms there and back, node
// and broker at the other, and mosquitto_rr beside it. The line does not delay the
// opening of a connection: over TCP that is one round trip more.
func BenchmarkSnapDelay(b *testing.B) {
	const roundTrip = 100 * time.Millisecond
	d := startDemo(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the listener
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", net.JoinHostPort(d.host, d.port))
			if err != nil {
				_ = near.Close()
				continue
			}
			delayed(near, far, roundTrip/2)
		}
	}()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	for name, argv := range map[string][]string{
		"camqtt":       {binary, "snap", "porch", "-o", "-", "--broker", "mqtt://" + l.Addr().String()},
		"mosquitto_rr": {testkit.Tool(b, "mosquitto_rr"), "-h", host, "-p", port, "-N", "-t", "cam/porch/cmd", "-e", "cam/porch/frame", "-m", string(wire.Snap)},
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				cmd := exec.Command(argv[0], argv[1:]...)
				cmd.Stdout = io.Discard
				if err := cmd.Run(); err != nil {
					b.Fatal(fmt.Errorf("%v: %w", argv, err))
				}
				took = append(took, time.Since(began))
			}
			b.ReportMetric(percentile(took, 0.5), "p50-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
