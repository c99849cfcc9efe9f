//go:build vmguest

// Package guest is tested inside a machine of package vmtest: these tests expect
// the drivers vivid, or vhci_hcd and uvcvideo, and the rights of root.
package guest

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/jpeg"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
	"camqtt/node/camera/vmtest/webcam"
)

// patience is how long tests wait for what must happen. A machine made of software
// is ten times slower than a real one, and others may keep the real one busy; only
// a test that fails waits so long.
const patience = 2 * time.Minute

// run is a Stream in the background.
type run struct {
	t      *testing.T
	frames chan camera.Frame
	ended  chan error
	cancel context.CancelFunc
}

// source opens a source, with its log in the test's.
func source(t *testing.T, name string) camera.Source {
	t.Helper()
	s, err := kinds.Open(name, camera.Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start streams until the test ends or stop is called.
func start(t *testing.T, s camera.Source, m camera.Mode) *run {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{t, make(chan camera.Frame, 1000), make(chan error, 1), cancel}
	go func() { // ends with ctx; stop waits
		r.ended <- s.Stream(ctx, m, func(f camera.Frame) {
			select {
			case r.frames <- f:
			default:
			}
		})
		close(r.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.ended
	})
	return r
}

// next is the next picture.
func (r *run) next() camera.Frame {
	r.t.Helper()
	select {
	case f := <-r.frames:
		return f
	case err := <-r.ended:
		r.t.Fatalf("Stream ended with %v (%s), want a picture", err, camera.CodeOf(err))
	case <-time.After(patience):
		r.t.Fatalf("no picture for %v", patience)
	}
	return camera.Frame{}
}

// end waits for Stream to end by itself.
func (r *run) end() error {
	r.t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		r.t.Fatalf("Stream has not ended within %v", patience)
	}
	return nil
}

// stop ends Stream and expects no error and no open device.
func (r *run) stop() {
	r.t.Helper()
	r.cancel()
	if err := r.end(); err != nil {
		r.t.Errorf("Stream = %v, want nil when asked to end", err)
	}
	if open := openNodes("self"); len(open) > 0 {
		r.t.Errorf("after Stream these are still open: %v", open)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil || bytes.Contains(maps, []byte("/dev/video")) {
		r.t.Errorf("after Stream buffers are still mapped (%v)", err)
	}
}

// openNodes lists the video nodes that a process has open.
func openNodes(pid string) []string {
	var open []string
	links, _ := filepath.Glob(filepath.Join("/proc", pid, "fd", "*"))
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && strings.HasPrefix(to, "/dev/video") {
			open = append(open, to)
		}
	}
	return open
}

// failsWith streams until it fails and checks how.
func failsWith(t *testing.T, s camera.Source, code camera.Code, texts ...string) {
	t.Helper()
	err := start(t, s, camera.Mode{}).end()
	if camera.CodeOf(err) != code {
		t.Errorf("Stream = %v (%s), want %s", err, camera.CodeOf(err), code)
		return
	}
	for _, want := range texts {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Stream = %q, want %q in it", err, want)
		}
	}
	t.Logf("%s: %v", code, err)
}

func decode(t *testing.T, b []byte) image.Image {
	t.Helper()
	im, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("decode a picture of %d bytes: %v", len(b), err)
	}
	return im
}

// film makes the pictures of a webcam and remembers what it has handed out.
type film struct {
	mu    sync.Mutex
	level func(n int) byte // brightness of picture n; nil is a gradient
	base  map[webcam.Size]map[byte][]byte
	sent  map[string]shown
}

// shown is what is to be seen on a picture.
type shown struct {
	n     int
	level byte
}

func newFilm() *film {
	return &film{base: map[webcam.Size]map[byte][]byte{}, sent: map[string]shown{}}
}

// picture is a JPEG without Huffman tables, as webcams send, with a comment
// that makes it different from all others.
func (f *film) picture(n int, s webcam.Size) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	var level byte
	if f.level != nil {
		level = f.level(n) &^ 7
	}
	base := f.base[s][level]
	if base == nil {
		base = f.draw(s, level)
		if f.base[s] == nil {
			f.base[s] = map[byte][]byte{}
		}
		f.base[s][level] = base
	}
	pic := append([]byte{0xff, 0xd8, 0xff, 0xfe, 0, 10}, binary.BigEndian.AppendUint64(nil, uint64(len(f.sent)))...)
	pic = append(pic, base[2:]...)
	f.sent[string(pic)] = shown{n, level}
	return pic
}

// draw makes a gradient, or a plain picture of a level.
func (f *film) draw(s webcam.Size, level byte) []byte {
	im := image.NewYCbCr(image.Rect(0, 0, s.Width, s.Height), image.YCbCrSubsampleRatio422)
	for i := range im.Y {
		if im.Y[i] = level; f.level == nil {
			im.Y[i] = byte(i%s.Width/4 + i/s.Width/3)
		}
	}
	for i := range im.Cb {
		im.Cb[i], im.Cr[i] = 110, 150
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, im, &jpeg.Options{Quality: 75}); err != nil {
		return nil
	}
	return withoutTables(b.Bytes())
}

// withoutTables removes the Huffman tables.
func withoutTables(j []byte) []byte { return without(j, 0xc4) }

// without removes all segments with a marker from the head of a JPEG.
func without(j []byte, marker byte) []byte {
	out := append([]byte(nil), j[:2]...)
	for i := 2; i+4 <= len(j); {
		n := 2 + int(binary.BigEndian.Uint16(j[i+2:]))
		switch j[i+1] {
		case 0xda: // start of scan: the rest is the picture
			return append(out, j[i:]...)
		case marker:
		default:
			out = append(out, j[i:i+n]...)
		}
		i += n
	}
	return out
}

// find is what these bytes show; false when none was sent that is like that.
func (f *film) find(b []byte) (shown, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.sent[string(b)]
	return s, ok
}

// light sets how bright picture n is.
func (f *film) light(level func(n int) byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.level = level
}

// plug plugs in a camera for the time of the test, and waits for its node.
func plug(t *testing.T, o webcam.Options) *webcam.Camera {
	t.Helper()
	c := webcam.New(o)
	if err := c.Plug(); err != nil {
		t.Fatal(err)
	}
	// First registered, so it runs last: a device can be closed only while its
	// camera answers.
	t.Cleanup(func() { unplug(t, c) })
	node(t, c)
	return c
}

func unplug(t *testing.T, c *webcam.Camera) {
	t.Helper()
	if err := c.Unplug(); err != nil {
		t.Errorf("unplug: %v", err)
	}
	for end := time.Now().Add(patience); !c.Gone(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the camera is still there %v after it was unplugged", patience)
		}
	}
}

func node(t *testing.T, c *webcam.Camera) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	path, err := c.Node(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
