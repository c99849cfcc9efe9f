package brokerproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/testkit/faketime"
	"camqtt/internal/testkit/packet"
)

// joined is a pump between two pipes, of which the test holds the far ends.
type joined struct {
	browser, broker net.Conn
	counts          *Counts
	cancel          context.CancelFunc
	done            chan error
}

func join(t *testing.T, o Options) *joined {
	t.Helper()
	near, browser := net.Pipe()
	up, broker := net.Pipe()
	j := &joined{browser: browser, broker: broker, counts: &Counts{}, done: make(chan error, 1)}
	o.Counts = j.counts
	o.Dial = func(context.Context) (net.Conn, error) { return up, nil }
	ctx, cancel := context.WithCancel(t.Context())
	j.cancel = cancel
	attach := New(o)
	go func() { j.done <- attach(ctx, near) }() // ends with either pipe
	t.Cleanup(func() {
		cancel()
		browser.Close()
		broker.Close()
	})
	return j
}

// read returns what one Write of the pump brought.
func (j *joined) read(t *testing.T) []byte {
	t.Helper()
	b := make([]byte, 1<<20)
	n, err := j.browser.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func (j *joined) say(t *testing.T, packets ...[]byte) {
	t.Helper()
	for _, p := range packets {
		if _, err := j.broker.Write(p); err != nil {
			t.Fatal(err)
		}
	}
}

func picture(topic, text string) []byte { return packet.Publish(0x30, topic, text) }

func order(topic, text string) []byte { return packet.Publish(0x32, topic, "\x00\x01"+text) }

func TestRemoteKeepsTheNewestPictureAndEverythingElse(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		j := join(t, Options{})
		first := order("cam/a/state", "first")
		j.say(t, first) // the pump waits with it until it is read
		synctest.Wait()
		for i := range 5 {
			j.say(t, picture("cam/a/frame", fmt.Sprint("frame a", i)))
		}
		j.say(t,
			picture("cam/b/frame", "frame b"),
			packet.Publish(0x31, "cam/a/frame", "retained, so another"),
			order("cam/a/snapshot/meta", "1"), picture("cam/a/snapshot", "1"),
			order("cam/a/snapshot/meta", "2"), picture("cam/a/snapshot", "2"),
			order("cam/a/result", "2"),
			packet.Publish(0x30, "cam/a/stats", "s1"), packet.Publish(0x30, "cam/a/stats", "s2"),
			picture("cam/a/frame", "newest"),
		)
		synctest.Wait()
		for i, want := range [][]byte{
			first, picture("cam/a/frame", "newest"), picture("cam/b/frame", "frame b"),
			packet.Publish(0x31, "cam/a/frame", "retained, so another"),
			order("cam/a/snapshot/meta", "1"), order("cam/a/snapshot/meta", "2"), picture("cam/a/snapshot", "2"),
			order("cam/a/result", "2"), packet.Publish(0x30, "cam/a/stats", "s1"), packet.Publish(0x30, "cam/a/stats", "s2"),
		} {
			if got := j.read(t); !bytes.Equal(got, want) {
				t.Errorf("packet %d is %q, want %q", i, got, want)
			}
		}
		if n := j.counts.Replaced.Load(); n != 6 {
			t.Errorf("%d replaced, want 6", n)
		}
		j.browser.Close()
		if err := <-j.done; err != nil {
			t.Errorf("Attach() = %v, want nil when the browser goes", err)
		}
	})
}

func TestRemoteSendsOnePacketPerMessage(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		j := join(t, Options{Base: "home/cams"})
		packets := [][]byte{{0xd0, 0}, picture("home/cams/a/frame", strings.Repeat("x", 100000)), order("t", "y"), {0x90, 3, 0, 1, 0}}
		all := bytes.Join(packets, nil)
		go func() { // ends when all is written
			for len(all) > 0 {
				n := min(997, len(all))
				j.say(t, all[:n])
				all = all[n:]
			}
		}()
		for i, want := range packets {
			if got := j.read(t); !bytes.Equal(got, want) {
				t.Errorf("message %d has %d bytes, want the packet of %d", i, len(got), len(want))
			}
		}
	})
}

func TestRemotePassesOnWhatTheBrowserSays(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		j := join(t, Options{})
		want := append(packet.Connect(4, "id"), "\x00 anything at all, the broker judges it"...)
		go func() { // ends when all is written
			for _, b := range want {
				_, _ = j.browser.Write([]byte{b})
			}
		}()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(j.broker, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the broker got %q, %v: want %q", got, err, want)
		}
	})
}

func TestRemoteLeavesTopicAliasesAlone(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		j := join(t, Options{})
		go func() { _, _ = j.browser.Write(packet.Connect(5, "id")) }() // ends when it is read
		_, _ = io.ReadFull(j.broker, make([]byte, len(packet.Connect(5, "id"))))
		first := order("t", "\x00x")
		j.say(t, first)
		synctest.Wait()
		want := [][]byte{
			first,
			picture("cam/a/frame", "\x03\x23\x00\x01one"), // sets the alias, so it may not be lost
			picture("cam/a/frame", "\x00two"),
			picture("", "\x03\x23\x00\x01three"),
		}
		j.say(t, want[1:]...)
		synctest.Wait()
		for i := range want {
			if got := j.read(t); !bytes.Equal(got, want[i]) {
				t.Errorf("packet %d is %q, want %q", i, got, want[i])
			}
		}
	})
}

func TestRemoteEnds(t *testing.T) {
	big := order("t", strings.Repeat("x", 60000))
	for name, c := range map[string]struct {
		do   func(*testing.T, *joined)
		want error
	}{
		"the context is done": {func(_ *testing.T, j *joined) { j.cancel() }, nil},
		"the broker goes":     {func(_ *testing.T, j *joined) { j.broker.Close() }, nil},
		"the browser goes":    {func(_ *testing.T, j *joined) { j.browser.Close() }, nil},
		"the context is done while the browser is stuck": {func(t *testing.T, j *joined) {
			j.say(t, big)
			synctest.Wait()
			j.cancel()
		}, nil},
		"the broker is stuck and the browser goes": {func(_ *testing.T, j *joined) {
			_, _ = j.browser.Write([]byte("x"))
			synctest.Wait()
			j.browser.Close()
			j.broker.Close()
		}, nil},
		"the browser takes nothing for too long": {func(t *testing.T, j *joined) { j.say(t, big) }, os.ErrDeadlineExceeded},
		"too much waits": {func(t *testing.T, j *joined) {
			for range 19 { // one is on its way, 18 are in line
				j.say(t, big)
			}
		}, errFull},
		"malformed": {func(t *testing.T, j *joined) { j.say(t, []byte{0x00}) }, errMalformed},
		"too large": {func(t *testing.T, j *joined) { j.say(t, []byte{0x30, 0xff, 0xff, 0xff, 0x7f}) }, errTooLarge},
		"half a packet": {func(t *testing.T, j *joined) {
			j.say(t, []byte{0x30, 9})
			j.broker.Close()
		}, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				j := join(t, Options{QueueBytes: 1 << 20})
				synctest.Wait()
				c.do(t, j)
				begun := time.Now()
				err := <-j.done
				if !errors.Is(err, c.want) || (c.want == nil && err != nil) {
					t.Errorf("Attach() = %v, want %v", err, c.want)
				}
				if took := time.Since(begun); took > 20*time.Second {
					t.Errorf("it took %s", took)
				}
				for side, conn := range map[string]net.Conn{"browser": j.browser, "broker": j.broker} {
					if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, io.ErrClosedPipe) {
						t.Errorf("the %s's connection is not closed: %v", side, err)
					}
				}
				if n := j.counts.Open.Load(); n != 0 {
					t.Errorf("%d browsers are still counted", n)
				}
			})
		})
	}
}

func TestRemoteWaitsABitForASlowBrowser(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		j := join(t, Options{QueueBytes: 1000})
		p := order("t", strings.Repeat("x", 400))
		const n = 20
		go func() { // ends when all is written
			for range n {
				j.say(t, p)
			}
		}()
		for i := range n {
			time.Sleep(time.Second)
			if got := j.read(t); !bytes.Equal(got, p) {
				t.Fatalf("packet %d has %d bytes, want %d", i, len(got), len(p))
			}
		}
	})
}
