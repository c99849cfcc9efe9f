//go:build linux

package broker

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/testkit"

	"camqtt/internal/mqtt"
)

// pictureBytes is the size of every picture here: a good VGA or a plain 720p JPEG.
const pictureBytes = 50_000

// fleet is cameras and viewers on one broker, all in this process.
type fleet struct {
	on        *contender
	b         *testing.B
	version   byte
	cameras   []*cam
	viewers   int // of each camera
	delivered atomic.Int64

	mu   sync.Mutex
	ages []time.Duration
}

// cam publishes one topic.
type cam struct {
	c      *client
	packet []byte
	at     int // where in packet the time of sending goes
}

func topicOf(i int) string { return fmt.Sprintf("cam/c%d/frame", i) }

func newFleet(b *testing.B, on *contender, version byte) *fleet {
	return &fleet{on: on, b: b, version: version}
}

// add brings cameras, each with so many viewers.
func (f *fleet) add(cameras, viewers int) {
	f.b.Helper()
	f.viewers = viewers
	plain := *f.on
	plain.by, plain.viewers = transport{}, f.on.plain
	for range cameras {
		i := len(f.cameras)
		for v := range viewers {
			f.watch(i, f.on.join(f.b, fmt.Sprintf("viewer-%d-%d", i, v), f.version))
		}
		topic := topicOf(i)
		packet, err := encode(packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: topic, Payload: make([]byte, pictureBytes),
		}, f.version)
		if err != nil {
			f.b.Fatal(err)
		}
		f.cameras = append(f.cameras, &cam{
			c: plain.join(f.b, fmt.Sprint("camera-", i), f.version), packet: packet, at: len(packet) - pictureBytes,
		})
	}
}

// watch subscribes a viewer to a camera and counts what it gets.
func (f *fleet) watch(camera int, v *client) {
	f.b.Helper()
	v.subscribe(f.b, 0, topicOf(camera))
	_ = v.c.SetReadDeadline(time.Time{})
	go func() { // ends with the connection
		for {
			sent, err := v.skim()
			if err != nil {
				return
			}
			age := time.Since(sent)
			f.mu.Lock()
			f.ages = append(f.ages, age)
			f.mu.Unlock()
			f.delivered.Add(1)
		}
	}()
}

// scratch are buffers to read pictures into that nobody looks at.
var scratch = sync.Pool{New: func() any { return new([pictureBytes]byte) }}

// skim reads the next picture and gives only when it was sent.
func (c *client) skim() (time.Time, error) {
	first, err := c.r.Peek(5)
	if err != nil {
		return time.Time{}, err
	}
	hl, n := mqtt.FixedHeader(first)
	if first[0]>>4 != packets.Publish || n < pictureBytes {
		return time.Time{}, fmt.Errorf("packet %#x of %d bytes, wanted a picture", first[0], n)
	}
	if _, err := c.r.Discard(hl + n - pictureBytes); err != nil {
		return time.Time{}, err
	}
	buf, _ := scratch.Get().(*[pictureBytes]byte)
	defer scratch.Put(buf)
	if _, err := io.ReadFull(c.r, buf[:]); err != nil {
		return time.Time{}, err
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(buf[:]))), nil
}

func (c *cam) send() error {
	binary.BigEndian.PutUint64(c.packet[c.at:], uint64(time.Now().UnixNano()))
	_, err := c.c.c.Write(c.packet)
	return err
}

// round is what came of a time of publishing.
type round struct {
	cpu       time.Duration // of the broker
	delivered int64
	sent      int64 // times the viewers
	ages      []time.Duration
}

// perFrame is the broker's processor time for one delivered picture, in microseconds.
func (r round) perFrame() float64 {
	return float64(r.cpu.Nanoseconds()) / 1e3 / float64(max(r.delivered, 1))
}

// play publishes at a rate per camera, the cameras taking turns, and waits until what
// was sent has come or nothing comes any more.
func (f *fleet) play(fps int, d time.Duration) round {
	f.b.Helper()
	f.mu.Lock()
	f.ages = nil
	f.mu.Unlock()
	before, began := f.delivered.Load(), f.on.cpu(f.b)
	every := time.Second / time.Duration(fps*len(f.cameras))
	tick := time.NewTicker(every)
	defer tick.Stop()
	n := int64(d / every)
	for i := range n {
		<-tick.C
		if err := f.cameras[int(i)%len(f.cameras)].send(); err != nil {
			f.b.Fatalf("%s: publish: %v", f.on.name, err)
		}
	}
	r := round{sent: n * int64(f.viewers)}
	last, since := int64(-1), time.Now()
	testkit.Until(f.b, "pictures stop coming", func() bool {
		if r.delivered = f.delivered.Load() - before; r.delivered != last {
			last, since = r.delivered, time.Now()
		}
		return r.delivered == r.sent || time.Since(since) > 500*time.Millisecond
	})
	r.cpu = f.on.cpu(f.b) - began
	f.mu.Lock()
	defer f.mu.Unlock()
	r.ages = slices.Clone(f.ages)
	return r
}

// percentile of durations, in milliseconds.
func percentile(d []time.Duration, p float64) float64 {
	if len(d) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(d))
	return float64(s[min(int(p*float64(len(s))), len(s)-1)].Microseconds()) / 1e3
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
