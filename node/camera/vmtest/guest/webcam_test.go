//go:build vmguest

package guest

import (
	"bytes"
	"context"
	"errors"
	stdjpeg "image/jpeg"
	"os"
	"strings"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
	"camqtt/node/camera/vmtest/webcam"
	"camqtt/node/camera/webcam/v4l2"
)

// TestWebcamBytes: what the camera has sent comes out byte by byte, by both
// sorts of USB transfer, and can be decoded once the tables are in.
func TestWebcamBytes(t *testing.T) {
	for name, bulk := range map[string]bool{"bulk": true, "isochronous": false} {
		t.Run(name, func(t *testing.T) {
			f := newFilm()
			cam := plug(t, webcam.Options{Name: "Sim Webcam", Picture: f.picture, Bulk: bulk, Sizes: []webcam.Size{{Width: 320, Height: 240}, {Width: 640, Height: 480}}})
			s := source(t, "v4l2:"+node(t, cam)+"?settle=0")
			r := start(t, s, camera.Mode{Width: 640, Height: 480, FPS: 10})
			last := -1
			at := time.Now()
			var all []camera.Frame
			for range 10 {
				all = append(all, r.next())
			}
			// Only now are they looked at: by now the driver has filled each of its
			// buffers again.
			for _, got := range all {
				is, ok := f.find(got.JPEG)
				n := is.n
				if !ok {
					t.Fatalf("a picture of %d bytes is not as the camera sent it", len(got.JPEG))
				}
				if n <= last || !got.At.After(at) {
					t.Errorf("picture %d of %v after %d of %v: want later ones", n, got.At, last, at)
				}
				if got.At.After(time.Now()) {
					t.Errorf("picture %d is of %v, which is to come", n, got.At)
				}
				last, at = n, got.At
				if _, err := stdjpeg.Decode(bytes.NewReader(got.JPEG)); err == nil {
					t.Error("the camera sent Huffman tables: nothing is proved")
				}
				in, err := jpeg.Scan(got.JPEG)
				if err != nil || in.Width != 640 || in.Height != 480 {
					t.Fatalf("Scan = %+v, %v, want 640x480", in, err)
				}
				decode(t, jpeg.Dress(got.JPEG, in, jpeg.EXIF{}))
			}
			r.stop()
			p := s.Profile()
			if p.Model != "Sim Webcam" || len(p.Sizes) != 2 || p.Sizes[1] != (camera.Size{Width: 640, Height: 480}) || p.MaxFPS != 30 {
				t.Errorf("profile %+v, want Sim Webcam with 320x240 and 640x480 at up to 30", p)
			}
		})
	}
}

// TestWebcamDamage: pictures with the error flag are left out and counted. The
// driver was loaded with nodrop=1 where it has that, else it would hide them.
func TestWebcamDamage(t *testing.T) {
	f := newFilm()
	cam := plug(t, webcam.Options{Name: "Sim Webcam", Picture: f.picture})
	d, err := v4l2.Open(node(t, cam))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	prepare(t, d, v4l2.MJPG)
	next := func(within time.Duration) error {
		return d.Next(time.Now().Add(within), func(b v4l2.Buffer) {
			if _, ok := f.find(b.Data); !ok {
				t.Error("got a picture that is not as the camera sent it")
			}
			if !b.Exact {
				t.Error("the driver gives the start of the exposure, but Exact is false")
			}
		})
	}
	if err := next(patience); err != nil {
		t.Fatal(err)
	}
	cam.Damage(true)
	for err = next(time.Second); err == nil; err = next(time.Second) { // those that were on their way
	}
	for end := time.Now().Add(patience); errors.Is(err, os.ErrDeadlineExceeded) && d.Counts().Bad < 3 && time.Now().Before(end); {
		err = next(time.Second)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || d.Counts().Bad < 3 {
		t.Errorf("with damaged pictures Next = %v, %+v, want the deadline and some Bad", err, d.Counts())
	}
	cam.Damage(false)
	if err := next(patience); err != nil {
		t.Errorf("after the damage: %v", err)
	}
	t.Logf("%+v", d.Counts())
	if err := d.Close(); err != nil {
		t.Error(err)
	}

	// The source leaves them out as well, and goes on afterwards.
	r := start(t, source(t, "v4l2:?settle=0"), camera.Mode{FPS: 10})
	r.next()
	cam.Damage(true)
	whole := cam.Sent() // the number of the last that may be
	sent := func(n int) {
		for cam.Sent() < n {
			<-time.After(10 * time.Millisecond)
		}
	}
	sent(whole + 4)
	cam.Damage(false)
	again := cam.Sent() // the number of the last that may be damaged
	for n := 0; n <= again; {
		is, ok := f.find(r.next().JPEG)
		if n = is.n; !ok || n > whole && n < again {
			t.Errorf("picture %d came out, as it was sent: %v; want none of those after %d and before %d", n, ok, whole, again)
		}
	}
	r.stop()
}

// prepare starts the stream of a device at 640x480, 10 pictures per second.
func prepare(t *testing.T, d *v4l2.Device, f v4l2.FourCC) v4l2.Format {
	t.Helper()
	got, err := d.SetFormat(f, v4l2.Size{Width: 640, Height: 480})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.SetRate(10); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(4); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestWebcamStall: a camera that is there and silent is noticed.
func TestWebcamStall(t *testing.T) {
	cam := plug(t, webcam.Options{Name: "Sim Webcam", Picture: newFilm().picture})
	r := start(t, source(t, "v4l2:"), camera.Mode{FPS: 10})
	r.next()
	cam.Hold(true)
	began := time.Now()
	err := r.end()
	if camera.CodeOf(err) != camera.Stalled {
		t.Errorf("silent for %v: %v (%s), want stalled", time.Since(began), err, camera.CodeOf(err))
	}
	t.Logf("after %v: %v", time.Since(began).Round(time.Millisecond), err)
	cam.Hold(false)
	again := start(t, source(t, "v4l2:"), camera.Mode{FPS: 10})
	again.next()
	again.stop()
}

// TestWebcamReplug: pulling the cable is noticed for what it is, and the camera is
// found again under another number by who it is.
func TestWebcamReplug(t *testing.T) {
	for name, form := range map[string]string{"by serial": "v4l2:usb-SIM_0001", "by port": "v4l2:usb-%port", "by number": "v4l2:%node"} {
		t.Run(name, func(t *testing.T) {
			cam := plug(t, webcam.Options{Name: "Sim Webcam", Serial: "SIM 0001", Picture: newFilm().picture})
			before := node(t, cam)
			s := source(t, strings.NewReplacer("%node", before, "%port", port(t, before)).Replace(form))
			r := start(t, s, camera.Mode{FPS: 10})
			r.next()

			other, err := v4l2.Open(before) // so that the number stays taken
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			unplug(t, cam) // comes back when the kernel has noticed
			began := time.Now()
			err = r.end()
			took := time.Since(began)
			if camera.CodeOf(err) != camera.NoCamera { // one that is only waited for is stalled
				t.Errorf("unplugged: %v (%s) after %v, want no_camera", err, camera.CodeOf(err), took)
			}
			t.Logf("unplugged: %v after %v", err, took.Round(time.Millisecond))
			if !other.Gone() {
				t.Error("the device is gone and does not say so")
			}
			failsWith(t, s, camera.NoCamera)

			if err := cam.Plug(); err != nil {
				t.Fatal(err)
			}
			after := node(t, cam)
			if after == before {
				t.Fatalf("the camera is %s again: nothing is proved", after)
			}
			again := start(t, s, camera.Mode{FPS: 10})
			again.next()
			again.cancel()
			if err := again.end(); err != nil {
				t.Error(err)
			}
			t.Logf("was %s, is %s", before, after)
		})
	}
}

// port is where the camera of a node is plugged in, as the kernel calls it.
func port(t *testing.T, path string) string {
	t.Helper()
	nodes, err := v4l2.System{}.Nodes()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Path == path && n.USB != nil {
			return n.USB.Path
		}
	}
	t.Fatalf("no USB node %s among %+v", path, nodes)
	return ""
}

// TestWebcamBusy: the second to stream is told who has the camera.
func TestWebcamBusy(t *testing.T) {
	cam := plug(t, webcam.Options{Name: "Sim Webcam", Picture: newFilm().picture})
	path := node(t, cam)
	first := start(t, source(t, "v4l2:"), camera.Mode{FPS: 10})
	first.next()
	failsWith(t, source(t, "v4l2:"+path), camera.CameraBusy, path, "in use by")
	first.next()
	first.stop()
	second := start(t, source(t, "v4l2:"), camera.Mode{FPS: 10})
	second.next() // what the first has left can be used
	second.stop()
}

// TestWebcamControls: controls reach the camera, and a wrong name is answered
// with those there are.
func TestWebcamControls(t *testing.T) {
	cam := plug(t, webcam.Options{Name: "Sim Webcam", Picture: newFilm().picture})
	r := start(t, source(t, "v4l2:?brightness=17&contrast=5"), camera.Mode{})
	r.next()
	r.stop()
	if got := cam.Brightness(); got != 17 {
		t.Errorf("the camera's brightness is %d, want 17", got)
	}
	failsWith(t, source(t, "v4l2:?sharpness=1"), camera.Config, `no control "sharpness"`, "brightness (-64 to 64, now 17)", "contrast (0 to 64, now 5)")
	failsWith(t, source(t, "v4l2:?brightness=65"), camera.Config, "brightness: got 65, want -64 to 64")
	failsWith(t, source(t, "v4l2:?format=YUYV"), camera.Config, "the camera has MJPG")
}

// TestWebcamSettle: dark and changing pictures at the beginning are left out,
// for no longer than said.
func TestWebcamSettle(t *testing.T) {
	f := newFilm()
	began := time.Now()
	// 400 ms black, then brighter every time, then steady.
	slow := func(int) byte {
		return byte(min(max(0, (time.Since(began)-400*time.Millisecond)/(5*time.Millisecond)), 160))
	}
	f.light(slow)
	plug(t, webcam.Options{Name: "Sim Webcam", Picture: f.picture, Sizes: []webcam.Size{{Width: 160, Height: 120}}})
	first := func(name string) (byte, time.Duration) {
		opened := time.Now()
		r := start(t, source(t, name), camera.Mode{FPS: 30})
		got := r.next()
		took := time.Since(opened)
		r.stop()
		is, ok := f.find(got.JPEG)
		if !ok {
			t.Fatal("a picture is not as the camera sent it")
		}
		return is.level, took
	}
	began = time.Now() // nobody has looked yet
	level, took := first("v4l2:?settle=8s")
	if level != 160 || took < 700*time.Millisecond {
		t.Errorf("first picture has brightness %d after %v, want 160 once it is steady", level, took)
	}
	t.Logf("steady after %v", took.Round(time.Millisecond))
	f.light(func(n int) byte { return byte(8 * (n % 30)) })
	if _, took := first("v4l2:?settle=0"); took > 30*time.Second {
		t.Errorf("without settling the first picture took %v, want it as it comes", took)
	} else {
		t.Logf("without settling: %v", took.Round(time.Millisecond))
	}
	f.light(func(n int) byte { return byte(40 * (n % 6)) }) // never steady
	if _, took := first("v4l2:"); took < 1400*time.Millisecond || took > 30*time.Second {
		t.Errorf("never steady: first picture after %v, want about 1.5 s and never much more", took)
	} else {
		t.Logf("never steady: %v", took.Round(time.Millisecond))
	}
}

// TestWebcamWhich: who is meant when there are several, or none.
func TestWebcamWhich(t *testing.T) {
	failsWith(t, source(t, "v4l2:"), camera.NoCamera, "no camera found")
	failsWith(t, source(t, "v4l2:/dev/video0"), camera.NoCamera, "/dev/video0")
	failsWith(t, source(t, "v4l2:usb-NONE"), camera.NoCamera, "usb-NONE")

	f := newFilm()
	a := plug(t, webcam.Options{Maker: "Acme", Name: "Left", Serial: "L1", Picture: f.picture})
	b := plug(t, webcam.Options{Maker: "Acme", Name: "Right", Picture: f.picture, Port: 1})
	atA, atB := port(t, node(t, a)), port(t, node(t, b))
	failsWith(t, source(t, "v4l2:"), camera.Config, "2 cameras", "v4l2:usb-L1 (Left, now /dev/video", "v4l2:usb-"+atB+" (Right, now /dev/video")

	nodes, err := v4l2.System{}.Nodes()
	if err != nil || len(nodes) < 4 {
		t.Fatalf("the kernel has %d nodes, %v: want a picture and a metadata node each", len(nodes), err)
	}
	found, err := kinds.Detect(t.Context())
	if err != nil || len(found) != 2 {
		t.Fatalf("Detect = %+v, %v, want the two cameras and none of their metadata nodes", found, err)
	}
	if found[0].Source != "v4l2:usb-L1" || found[0].Name != "Left" || found[0].Driver != "uvcvideo" || len(found[0].Formats) != 1 ||
		found[0].Formats[0] != "MJPG" || len(found[0].Sizes) != 1 || found[0].MaxFPS != 30 {
		t.Errorf("Detect found %+v, want usb-L1 with MJPG in one size", found[0])
	}
	for _, n := range nodes {
		d := openDevice(t, n.Path)
		if got, want := d.Info().Captures(), n.Index == 0; got != want {
			t.Errorf("%s, node %d of its camera: Captures = %v, want %v", n.Path, n.Index, got, want)
		}
		d.Close()
	}
	failsWith(t, source(t, "v4l2:"+nodes[1].Path), camera.Config, "delivers no pictures")

	// udev's links lead to the number of today.
	if err := os.MkdirAll("/dev/v4l/by-id", 0o755); err != nil {
		t.Fatal(err)
	}
	const link = "/dev/v4l/by-id/usb-Acme_Right-video-index0"
	if err := os.Symlink("../../"+strings.TrimPrefix(node(t, b), "/dev/"), link); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(link)
	s := source(t, "v4l2:"+link)
	if p := s.Profile(); p.Model != "Right" || p.Make != "Acme" {
		t.Errorf("through the link the profile is %+v, want Right by Acme", p)
	}
	if open := openNodes("self"); len(open) > 0 {
		t.Errorf("Profile and Detect have left open: %v", open)
	}
	r := start(t, s, camera.Mode{})
	r.next()
	r.stop()

	twin := plug(t, webcam.Options{Name: "Twin", Serial: "L1", Picture: f.picture, Port: 2})
	failsWith(t, source(t, "v4l2:usb-L1"), camera.Config, "2 cameras have this serial number", "usb-"+atA, "usb-"+port(t, node(t, twin)))
	if all, err := kinds.Detect(t.Context()); err != nil || len(all) != 3 || all[0].Source != "v4l2:usb-"+atA {
		t.Errorf("with the same serial number twice Detect = %+v, %v, want places", all, err)
	}
}

// TestWebcamUnplugDuringSetUp: a camera that goes at any moment is an error and
// never a hang.
func TestWebcamUnplugDuringSetUp(t *testing.T) {
	f := newFilm()
	for _, after := range []time.Duration{0, 5 * time.Millisecond, 60 * time.Millisecond} {
		cam := plug(t, webcam.Options{Name: "Sim Webcam", Picture: f.picture})
		r := start(t, source(t, "v4l2:"), camera.Mode{FPS: 30})
		<-time.After(after)
		unplug(t, cam)
		if err := r.end(); camera.CodeOf(err) != camera.NoCamera {
			t.Errorf("unplugged after %v: %v (%s), want no_camera", after, err, camera.CodeOf(err))
		}
		if open := openNodes("self"); len(open) > 0 {
			t.Errorf("unplugged after %v: still open: %v", after, open)
		}
	}
}

// TestWebcamCancel: Stream ends at once when it is asked to, whatever the camera
// does.
func TestWebcamCancel(t *testing.T) {
	cam := plug(t, webcam.Options{Name: "Sim Webcam", Picture: newFilm().picture})
	cam.Hold(true)
	r := start(t, source(t, "v4l2:"), camera.Mode{})
	<-time.After(300 * time.Millisecond)
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > 8*time.Second { // it would have given up after 10
		t.Errorf("Stream took %v to end while the camera is silent, want at once", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := source(t, "v4l2:").Stream(ctx, camera.Mode{}, func(camera.Frame) {}); err != nil {
		t.Errorf("Stream when done before it began = %v, want nil", err)
	}
}
