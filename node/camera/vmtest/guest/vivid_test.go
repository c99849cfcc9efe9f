//go:build vmguest

package guest

import (
	"errors"
	"image"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"camqtt/internal/jpeg"
	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
	"camqtt/node/camera/webcam/v4l2"
)

// vivid is the picture node of the kernel's own test driver, which has many
// nodes that are none.
func vivid(t *testing.T) string {
	t.Helper()
	found, err := kinds.Detect(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatalf("Detect = %+v, %v, want vivid's one camera", found, err)
	}
	return found[0].Device
}

func openDevice(t *testing.T, path string) *v4l2.Device {
	t.Helper()
	d, err := v4l2.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// control finds one of vivid's controls.
func control(t *testing.T, d *v4l2.Device, name string) v4l2.Control {
	t.Helper()
	var names []string
	for _, c := range d.Controls() {
		if c.Name == name {
			return c
		}
		names = append(names, c.Name)
	}
	t.Fatalf("no control %s: there are %s", name, strings.Join(names, " "))
	return v4l2.Control{}
}

func set(t *testing.T, d *v4l2.Device, name string, value int32) {
	t.Helper()
	if _, err := d.SetValue(control(t, d, name), value); err != nil {
		t.Fatal(err)
	}
}

// TestVividDetect: of the driver's many nodes only the one that delivers
// pictures is a camera, and asking leaves nothing open.
func TestVividDetect(t *testing.T) {
	nodes, err := v4l2.System{}.Nodes()
	if err != nil || len(nodes) < 3 {
		t.Fatalf("Nodes = %+v, %v, want several of vivid", nodes, err)
	}
	found, err := kinds.Detect(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatalf("Detect = %+v, %v, want one camera of %d nodes", found, err, len(nodes))
	}
	f := found[0]
	if f.Source != "v4l2:"+f.Device || f.Driver != "vivid" || f.Name != "vivid" || f.Formats[0] != "YUYV" || len(f.Formats) != 6 || len(f.Sizes) < 3 || f.MaxFPS < 25 {
		t.Errorf("Detect found %+v, want vivid with six usable formats, YUYV first", f)
	}
	if open := openNodes("self"); len(open) > 0 {
		t.Errorf("Detect has left open: %v", open)
	}
	for _, n := range nodes {
		if n.Path != f.Device {
			failsWith(t, source(t, "v4l2:"+n.Path), camera.Config, "delivers no pictures", f.Source)
		}
	}
	failsWith(t, source(t, "v4l2:/dev/null"), camera.Config, "no video device")
	failsWith(t, source(t, "v4l2:/dev/video77"), camera.NoCamera, "not there")
}

// TestVividRaw: every raw format becomes a picture with the same colours.
func TestVividRaw(t *testing.T) {
	path := vivid(t)
	var want []([3]int)
	for _, format := range []string{"RGB3", "YUYV", "UYVY", "NV12", "YU12", "GREY"} {
		s := source(t, "v4l2:"+path+"?settle=0&format="+format)
		r := start(t, s, camera.Mode{Width: 640, Height: 360, FPS: 10, Quality: 90})
		got := r.next()
		r.stop()
		in, err := jpeg.Scan(got.JPEG)
		if err != nil || in.Len != len(got.JPEG) || in.Width != 640 || in.Height != 360 {
			t.Fatalf("%s: Scan = %+v, %v, want 640x360", format, in, err)
		}
		bars := bars(decode(t, got.JPEG))
		if want == nil {
			want = bars
			if bars[0][0] < 170 || bars[7][0] > 40 { // 75 % bars: light grey first, black last
				t.Fatalf("%s: bars %v, want light to black", format, bars)
			}
		}
		for i := range bars {
			for c := range 3 {
				far := bars[i][c] - want[i][c]
				if format == "GREY" { // there is only one thing to compare: the luma of BT.709
					far = bars[i][c] - (213*want[i][0]+715*want[i][1]+72*want[i][2])/1000
				}
				if far < -12 || far > 12 {
					t.Errorf("%s: bar %d is %v, want about %v", format, i, bars[i], want[i])
					break
				}
			}
		}
		if p := s.Profile(); !strings.Contains(p.Warning, format) || !strings.Contains(strings.Join(p.Caps, " "), "quality") {
			t.Errorf("%s: profile %+v, want a note that it is encoded here", format, p)
		}
	}
}

// bars are the colours of the eight bars of the test picture, in its lower part
// where nothing is written.
func bars(im image.Image) [][3]int {
	var all [][3]int
	b := im.Bounds()
	for i := range 8 {
		var sum [3]int
		n := 0
		for y := b.Dy() * 3 / 4; y < b.Dy()*7/8; y++ {
			for x := b.Dx() * (4*i + 1) / 32; x < b.Dx()*(4*i+3)/32; x++ {
				r, g, b, _ := im.At(x, y).RGBA()
				sum[0], sum[1], sum[2], n = sum[0]+int(r>>8), sum[1]+int(g>>8), sum[2]+int(b>>8), n+1
			}
		}
		all = append(all, [3]int{sum[0] / n, sum[1] / n, sum[2] / n})
	}
	return all
}

// TestVividSetUp: a device can be set several times before it streams, which
// fails with EBUSY as soon as anybody polls it too early; what is set is told.
func TestVividSetUp(t *testing.T) {
	d := openDevice(t, vivid(t))
	for _, s := range []v4l2.Size{{Width: 320, Height: 180}, {Width: 1280, Height: 720}, {Width: 640, Height: 360}} {
		f, err := d.SetFormat(v4l2.NV12, s)
		if err != nil || f.Size != s || f.FourCC != v4l2.NV12 || f.Bytes < s.Width*s.Height*3/2 {
			t.Errorf("SetFormat NV12 %v = %+v, %v", s, f, err)
		}
	}
	if f, err := d.SetFormat(v4l2.YUYV, v4l2.Size{Width: 600, Height: 333}); err != nil || f.Size == (v4l2.Size{Width: 600, Height: 333}) {
		t.Errorf("SetFormat to a size it does not have = %+v, %v, want another", f, err)
	}
	if got, err := d.SetRate(10); err != nil || got != 10 {
		t.Errorf("SetRate(10) = %v, %v", got, err)
	}
	if got, err := d.SetRate(1000); err != nil || got > 120 {
		t.Errorf("SetRate(1000) = %v, %v, want what it can", got, err)
	}
	if n := len(d.Formats()); n < 50 {
		t.Errorf("%d formats, want vivid's many", n)
	}
	began := time.Now()
	prepare(t, d, v4l2.YUYV)
	var first, last v4l2.Buffer
	for i := range 6 {
		err := d.Next(time.Now().Add(patience), func(b v4l2.Buffer) {
			if i == 0 {
				first = b
			}
			if b.Start.Before(began) || b.Start.After(time.Now()) {
				t.Errorf("picture %d is of %v, want between %v and now", i, b.Start, began)
			}
			last = b
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// A machine that is made of software does not keep time exactly.
	if took := last.Start.Sub(first.Start); took < 300*time.Millisecond {
		t.Errorf("6 pictures within %v, want 500 ms at 10 per second", took)
	}
	second := openDevice(t, d.Path())
	if _, err := second.SetFormat(v4l2.YUYV, v4l2.Size{Width: 320, Height: 180}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("a second opener sets the format: %v, want EBUSY", err)
	}
	if err := second.Start(2); !errors.Is(err, unix.EBUSY) {
		t.Errorf("a second opener streams: %v, want EBUSY", err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	third := openDevice(t, d.Path())
	prepare(t, third, v4l2.YUYV)
}

// TestVividErrors: the driver makes the mistakes that hardware makes.
func TestVividErrors(t *testing.T) {
	d := openDevice(t, vivid(t))
	prepare(t, d, v4l2.YUYV)
	knobs := openDevice(t, d.Path())
	next := func(within time.Duration) error {
		return d.Next(time.Now().Add(within), func(v4l2.Buffer) {})
	}
	if err := next(patience); err != nil {
		t.Fatal(err)
	}
	for n := int64(1); n <= 2; n++ {
		set(t, knobs, "inject_v4l2_buf_flag_error", 1)
		for range 3 {
			if err := next(patience); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.Counts().Bad; got != n {
			t.Errorf("%d damaged pictures were counted, want %d", got, n)
		}
	}

	lost := d.Counts().Lost
	set(t, knobs, "percentage_of_dropped_buffers", 100)
	var err error
	for err == nil { // a picture that was on its way may still come
		err = next(700 * time.Millisecond)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("without pictures Next = %v, want the deadline", err)
	}
	set(t, knobs, "percentage_of_dropped_buffers", 0)
	if err := next(patience); err != nil {
		t.Errorf("after the stall: %v", err)
	}
	if got := d.Counts().Lost; got < lost+3 {
		t.Errorf("%d pictures lost, %d before the stall: want the gap counted", got, lost)
	}

	// Nobody looks for a while: the queue fills, and only the newest counts.
	before := d.Counts().Replaced
	for end := time.Now().Add(patience); d.Counts().Replaced < before+2; {
		if time.Now().After(end) {
			t.Fatalf("%d older pictures gave way, want those that had waited", d.Counts().Replaced-before)
		}
		<-time.After(time.Second)
		if err := next(patience); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%+v", d.Counts())

	set(t, knobs, "inject_fatal_streaming_error", 1)
	for err = nil; err == nil; {
		err = next(patience)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after a fatal error Next = %v, want the error", err)
	}
	t.Logf("fatal: %v", err)
}

// TestVividSource: the same at the source: the stall is named, the fatal error
// ends the stream and the next one works; a second source is refused; the
// deadline counts whole pictures.
func TestVividSource(t *testing.T) {
	path := vivid(t)
	knobs := openDevice(t, path)
	s := source(t, "v4l2:"+path+"?brightness=100")
	opened := time.Now()
	r := start(t, s, camera.Mode{Width: 320, Height: 180, FPS: 10})
	first, second := r.next(), r.next()
	if !second.At.After(first.At) || first.At.Before(opened) || second.At.After(time.Now()) {
		t.Errorf("opened at %v, pictures of %v and %v, want one after the other since then", opened, first.At, second.At)
	}
	if got, err := knobs.Value(control(t, knobs, "brightness")); err != nil || got != 100 {
		t.Errorf("brightness = %d, %v, want 100", got, err)
	}
	failsWith(t, source(t, "v4l2:"), camera.CameraBusy, "in use")
	set(t, knobs, "percentage_of_dropped_buffers", 100)
	began := time.Now()
	if err := r.end(); camera.CodeOf(err) != camera.Stalled {
		t.Errorf("without pictures: %v (%s), want stalled", err, camera.CodeOf(err))
	}
	t.Logf("stall noticed after %v", time.Since(began).Round(time.Millisecond))
	set(t, knobs, "percentage_of_dropped_buffers", 0)

	again := start(t, s, camera.Mode{Width: 320, Height: 180, FPS: 10})
	again.next()
	set(t, knobs, "inject_fatal_streaming_error", 1)
	if err := again.end(); camera.CodeOf(err) != camera.NoCamera {
		t.Errorf("fatal error: %v (%s), want no_camera", err, camera.CodeOf(err))
	}
	for _, name := range []string{"inject_vidioc_reqbufs_error", "inject_vidioc_streamon_error"} {
		set(t, knobs, name, 1)
		failsWith(t, s, camera.NoCamera)
	}
	failsWith(t, source(t, "v4l2:?no_such_thing=1"), camera.Config, `no control "no_such_thing"`, "brightness (0 to 255, now 100)")
	last := start(t, s, camera.Mode{Width: 320, Height: 180, FPS: 10})
	last.next()
	knobs.Close()
	last.stop()
}

// TestVividZDisconnect takes the device away for good, so it comes last.
func TestVividZDisconnect(t *testing.T) {
	path := vivid(t)
	d := openDevice(t, path)
	prepare(t, d, v4l2.YUYV)
	set(t, d, "disconnect", 1)
	var err error
	for err == nil {
		err = d.Next(time.Now().Add(patience), func(v4l2.Buffer) {})
	}
	if !errors.Is(err, unix.ENODEV) {
		t.Errorf("disconnected: Next = %v, want ENODEV", err)
	}
	if !d.Gone() {
		t.Error("Gone = false, want true")
	}
}
