package webcam

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"camqtt/node/camera"
	"camqtt/node/camera/webcam/v4l2"
)

// fakeNode is a video node of a machine that is only files.
type fakeNode struct {
	number       int
	usb          string // "1-1:1.0"; "" for what is no USB device
	serial, name string
	index        int
	driver       string
	formats      []v4l2.FourCC // none: it delivers no pictures
	err          error         // of opening it
}

// machine makes a machine with these nodes.
func machine(t *testing.T, nodes ...fakeNode) finder {
	t.Helper()
	root := t.TempDir()
	put := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, path string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
	}
	answers := map[string]fakeNode{}
	for _, n := range nodes {
		parent := fmt.Sprintf("devices/platform/%s.%d", n.driver, n.number)
		if n.usb != "" {
			at, _, _ := strings.Cut(n.usb, ":")
			parent = "devices/usb1/" + at + "/" + n.usb
			put("devices/usb1/"+at+"/idVendor", "046d\n")
			put("devices/usb1/"+at+"/manufacturer", "Acme\n")
			if n.serial != "" {
				put("devices/usb1/"+at+"/serial", n.serial+"\n")
			}
			put(parent+"/bInterfaceClass", "0e\n")
		}
		link("/drivers/"+n.driver, parent+"/driver")
		class := fmt.Sprintf("class/video4linux/video%d", n.number)
		put(class+"/name", n.name+"\n")
		put(class+"/index", fmt.Sprintln(n.index))
		link("../../../"+parent, class+"/device")
		put(fmt.Sprintf("dev/video%d", n.number), "")
		answers[filepath.Join(root, fmt.Sprintf("dev/video%d", n.number))] = n
	}
	return finder{
		choice: &choice{},
		system: v4l2.System{Sys: root, Dev: filepath.Join(root, "dev")},
		look: func(path string) (looks, error) {
			n, ok := answers[path]
			if !ok {
				return looks{}, fmt.Errorf("open %s: %w", path, unix.ENOTTY)
			}
			if slices.Contains(notCameras(), n.driver) {
				t.Errorf("%s of driver %s was opened", path, n.driver)
			}
			l := looks{info: v4l2.Info{Driver: n.driver, Card: n.name}, formats: n.formats}
			if len(n.formats) > 0 {
				l.sizes = []camera.Size{{Width: 640, Height: 480}, {Width: 1280, Height: 720}}
			}
			return l, n.err
		},
	}
}

func mjpg() []v4l2.FourCC { return []v4l2.FourCC{v4l2.MJPG, v4l2.YUYV} }

// pi is a Raspberry Pi with its many nodes that are no cameras, a webcam with
// its metadata node, one with two lenses, and a capture card without a serial.
func pi(t *testing.T) finder {
	return machine(t,
		fakeNode{number: 0, driver: "unicam", name: "unicam-image", formats: mjpg()},
		fakeNode{number: 10, driver: "bcm2835-codec", name: "bcm2835-codec-decode", formats: mjpg()},
		fakeNode{number: 13, driver: "bcm2835-isp", name: "bcm2835-isp-output0", formats: mjpg()},
		fakeNode{number: 20, driver: "pispbe", name: "pispbe-input", formats: mjpg()},
		fakeNode{number: 21, driver: "rp1-cfe", name: "rp1-cfe-csi2_ch0", formats: mjpg()},
		fakeNode{number: 1, usb: "1-1.2:1.0", serial: "A/B 1", name: "HD Cam: HD Cam", driver: "uvcvideo", formats: mjpg()},
		fakeNode{number: 2, usb: "1-1.2:1.0", serial: "A/B 1", name: "HD Cam: HD Cam", driver: "uvcvideo", index: 1},
		fakeNode{number: 5, usb: "1-2:1.0", serial: "DUO", name: "Duo: Left", driver: "uvcvideo", formats: mjpg()},
		fakeNode{number: 4, usb: "1-2:1.2", serial: "DUO", name: "Duo: Right", driver: "uvcvideo", formats: mjpg()},
		fakeNode{number: 6, usb: "1-3:1.0", name: "USB Video", driver: "uvcvideo", formats: []v4l2.FourCC{v4l2.YUYV}},
	)
}

func TestFound(t *testing.T) {
	found, err := pi(t).found(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprint(f.Source, " ", f.Name, " ", filepath.Base(f.Device), " ", f.Formats))
	}
	want := []string{
		"v4l2:usb-A_B_1 HD Cam video1 [MJPG YUYV]",
		"v4l2:usb-DUO#2 Duo: Right video4 [MJPG YUYV]",
		"v4l2:usb-DUO Duo: Left video5 [MJPG YUYV]",
		"v4l2:usb-1-3 USB Video video6 [YUYV]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestFoundRefused: what may not be opened is told beside what was found.
func TestFoundRefused(t *testing.T) {
	f := machine(t,
		fakeNode{number: 0, usb: "1-1:1.0", driver: "uvcvideo", err: fmt.Errorf("open: %w", unix.EACCES)},
		fakeNode{number: 1, usb: "1-2:1.0", driver: "uvcvideo", formats: mjpg()},
	)
	look := f.look
	f.look = func(path string) (looks, error) {
		if err := os.Chmod(path, 0o644); err != nil { // as new as can be, however long the above took
			t.Error(err)
		}
		return look(path)
	}
	found, err := f.found(t.Context())
	if len(found) != 1 || found[0].Source != "v4l2:usb-1-2" {
		t.Errorf("found %+v, want the one that may be opened", found)
	}
	// The file is new, so it may be that udev is still at it.
	if err == nil || !strings.Contains(err.Error(), "video0 is being set up") {
		t.Errorf("error %v, want one about video0", err)
	}
}

func TestSearch(t *testing.T) {
	f := pi(t)
	dev := func(n int) string { return filepath.Join(f.system.Dev, fmt.Sprintf("video%d", n)) }
	link := filepath.Join(t.TempDir(), "usb-Acme_HD_Cam-video-index0")
	if err := os.Symlink(dev(1), link); err != nil {
		t.Fatal(err)
	}
	for where, want := range map[string]int{
		"usb-A_B_1": 1, "usb-1-1.2": 1, "usb-1-3": 6, "usb-DUO": 5, "usb-DUO#2": 4, "usb-1-2#2": 4,
		dev(1): 1, dev(4): 4, link: 1,
	} {
		w := &webcam{webcamOptions: webcamOptions{where: where}, find: f}
		c, err := w.search(t.Context())
		if err != nil || c.Path != dev(want) {
			t.Errorf("%s is %s, %v, want %s", where, c.Path, err, dev(want))
		}
	}
	for where, want := range map[string]struct {
		code camera.Code
		text string
	}{
		"":            {camera.Config, "there are 4 cameras"},
		"usb-DUO#3":   {camera.NoCamera, "no camera usb-DUO#3 is plugged in: there are v4l2:usb-A_B_1 (HD Cam, now"},
		"usb-DUO#x":   {camera.NoCamera, "no camera usb-DUO#x"},
		"usb-1-4":     {camera.NoCamera, "no camera usb-1-4"},
		dev(2):        {camera.Config, "(driver uvcvideo) delivers no pictures"},
		dev(0):        {camera.Config, "(driver unicam) delivers no pictures; the camera of a Raspberry Pi is reached through rpicam-vid"},
		dev(99):       {camera.NoCamera, "is not there"},
		os.DevNull:    {camera.Config, "is no video device"},
		"/dev/no/cam": {camera.NoCamera, "is not there"},
	} {
		w := &webcam{webcamOptions: webcamOptions{where: where}, find: f}
		err := w.Stream(t.Context(), camera.Mode{}, func(camera.Frame) { t.Errorf("%q gave a picture", where) })
		if camera.CodeOf(err) != want.code || err == nil || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%q: %v (%s), want %s with %q", where, err, camera.CodeOf(err), want.code, want.text)
		}
	}
}

// TestSearchAgain: looking for a camera that is away opens no other camera, except
// once to name it.
func TestSearchAgain(t *testing.T) {
	f := pi(t)
	look, opened := f.look, 0
	f.look = func(path string) (looks, error) {
		opened++
		return look(path)
	}
	w := &webcam{webcamOptions: webcamOptions{where: "usb-AWAY"}, find: f}
	var texts []string
	for range 5 {
		err := w.Stream(t.Context(), camera.Mode{}, nil)
		if camera.CodeOf(err) != camera.NoCamera || !strings.Contains(err.Error(), "v4l2:usb-A_B_1") {
			t.Fatalf("%v (%s), want no_camera and those there are", err, camera.CodeOf(err))
		}
		if texts = append(texts, err.Error()); texts[0] != err.Error() {
			t.Errorf("%q, want the same as at first: %q", err, texts[0])
		}
		if len(texts) == 1 {
			if opened == 0 {
				t.Fatal("nothing was opened the first time: nothing is proved")
			}
			opened = 0
		}
	}
	if opened != 0 {
		t.Errorf("to look four times more %d devices were opened, want none", opened)
	}
	if err := os.RemoveAll(filepath.Join(f.system.Sys, "class/video4linux/video1")); err != nil {
		t.Fatal(err)
	}
	if err := w.Stream(t.Context(), camera.Mode{}, nil); camera.CodeOf(err) != camera.NoCamera || strings.Contains(err.Error(), "v4l2:usb-A_B_1") {
		t.Errorf("%v, want no_camera without the one that has gone too", err)
	}
}

// TestSearchGone: a device that goes away between being listed and being opened
// is no camera, and no error of its own.
func TestSearchGone(t *testing.T) {
	f := machine(t,
		fakeNode{number: 0, usb: "1-1:1.0", serial: "A", driver: "uvcvideo", err: fmt.Errorf("open: %w", unix.ENODEV)},
		fakeNode{number: 1, usb: "1-1:1.0", serial: "A", driver: "uvcvideo", index: 1, err: fmt.Errorf("open: %w", unix.ENOENT)},
	)
	if found, err := f.found(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("found %+v, %v, want nothing", found, err)
	}
	for _, where := range []string{"", "usb-A", filepath.Join(f.system.Dev, "video0"), filepath.Join(f.system.Dev, "video1")} {
		w := &webcam{webcamOptions: webcamOptions{where: where}, find: f}
		if err := w.Stream(t.Context(), camera.Mode{}, nil); camera.CodeOf(err) != camera.NoCamera {
			t.Errorf("%q: %v (%s), want no_camera", where, err, camera.CodeOf(err))
		}
	}
}

// TestSearchTwins: a serial number that two cameras share names neither.
func TestSearchTwins(t *testing.T) {
	f := machine(t,
		fakeNode{number: 0, usb: "1-1:1.0", serial: "200901010001", driver: "uvcvideo", formats: mjpg()},
		fakeNode{number: 2, usb: "1-2:1.0", serial: "200901010001", driver: "uvcvideo", formats: mjpg()},
	)
	_, err := f.byID(t.Context(), "usb-200901010001")
	if camera.CodeOf(err) != camera.Config || !strings.Contains(err.Error(), "v4l2:usb-1-1 (") || !strings.Contains(err.Error(), "v4l2:usb-1-2 (") {
		t.Errorf("twins: %v, want config that names their places", err)
	}
	if c, err := f.byID(t.Context(), "usb-1-2"); err != nil || c.Number != 2 {
		t.Errorf("usb-1-2 is %+v, %v, want video2", c, err)
	}
}

// TestSearchMoved: a camera that was given by number is remembered by who it
// is, and found when it has another number; another camera in its place is
// taken only when the first is nowhere.
func TestSearchMoved(t *testing.T) {
	a := fakeNode{number: 0, usb: "1-1:1.0", serial: "A", driver: "uvcvideo", formats: mjpg()}
	b := fakeNode{number: 0, usb: "1-2:1.0", serial: "B", driver: "uvcvideo", formats: mjpg()}
	first := machine(t, a)
	path := filepath.Join(first.system.Dev, "video0")
	s, err := openSource("v4l2:"+path, camera.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := s.(*camera.FrameValidator).Source.(*webcam)
	w.find = first
	if p := w.Profile(); p.Make != "Acme" || !slices.Contains(p.Caps, camera.CapSize) {
		t.Fatalf("profile %+v, want what the camera is", p)
	}
	moved := a
	moved.number = 1
	// The test's machine has another root; the path keeps the old one's meaning.
	second := machine(t, b, moved)
	w.where, w.find = filepath.Join(second.system.Dev, "video0"), second
	if c, err := w.search(t.Context()); err != nil || c.Number != 1 {
		t.Errorf("after moving: %+v, %v, want camera A at video1", c.Node, err)
	}
	third := machine(t, b)
	w.where, w.find = filepath.Join(third.system.Dev, "video0"), third
	if c, err := w.search(t.Context()); err != nil || c.id() != "usb-B" {
		t.Errorf("without A: %+v, %v, want what the path leads to", c.Node, err)
	}
}

// TestWebcamProfileUnknown: while the camera is away Profile is not empty, and
// does not look for it at every call.
func TestWebcamProfileUnknown(t *testing.T) {
	s, err := openSource("v4l2:usb-NONE", camera.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := s.(*camera.FrameValidator).Source.(*webcam)
	w.find = machine(t, fakeNode{number: 0, usb: "1-1:1.0", driver: "uvcvideo", formats: mjpg()})
	asked := 0
	look := w.find.look
	w.find.look = func(path string) (looks, error) {
		asked++
		return look(path)
	}
	for range 100 {
		if p := w.Profile(); p.Kind != "v4l2" || !slices.Equal(p.Caps, []string{camera.CapSize, camera.CapFPS}) {
			t.Fatalf("profile %+v, want one that lets size and rate be asked", p)
		}
	}
	if asked > 2 {
		t.Errorf("100 calls of Profile opened devices %d times", asked)
	}
}

// TestWebcamErrors: every answer of the kernel becomes a code and a cure.
func TestWebcamErrors(t *testing.T) {
	old := "/proc/self/exe" // a file that was made long ago
	for errno, want := range map[unix.Errno]struct {
		code camera.Code
		text string
	}{
		unix.EBUSY:  {camera.CameraBusy, "in use by another program"},
		unix.ENOSPC: {camera.CameraBusy, "no USB bandwidth"},
		unix.EACCES: {camera.Config, "group video"},
		unix.EPERM:  {camera.Config, "group video"},
		unix.ENODEV: {camera.NoCamera, "was unplugged"},
		unix.ENOENT: {camera.NoCamera, "is not there"},
		unix.ENXIO:  {camera.NoCamera, "is not there"},
		unix.ENOTTY: {camera.Config, "is no video device"},
		unix.EISDIR: {camera.Config, "is a folder"},
		unix.EIO:    {camera.NoCamera, "input/output error"},
	} {
		path := old
		if errno == unix.EACCES || errno == unix.EPERM {
			path = "/"
		}
		err := webcamError(path, fmt.Errorf("do this: %w", errno))
		if camera.CodeOf(err) != want.code || !strings.Contains(err.Error(), want.text) || !errors.Is(err, errno) {
			t.Errorf("%v: %v (%s), want %s with %q", errno, err, camera.CodeOf(err), want.code, want.text)
		}
	}
	own := camera.ConfigError("as it is")
	if err := webcamError("/dev/video0", fmt.Errorf("open: %w", own)); err != error(own) {
		t.Errorf("an error of our own became %v", err)
	}
}

// TestHolder names who has a file open.
func TestHolder(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "video0"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := holder(f.Name()); got != "another program" {
		t.Errorf("only this process has it open: %q", got)
	}
	child := exec.Command("sleep", "60")
	child.ExtraFiles = []*os.File{f}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = child.Process.Kill() // it has not been waited for, so it is there
		_ = child.Wait()         // says that it was killed
	}()
	want := fmt.Sprintf("sleep (process %d)", child.Process.Pid)
	if got := holder(f.Name()); got != want {
		t.Errorf("holder = %q, want %q", got, want)
	}
}
