package v4l2

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// tree makes the folders, files and links of a sysfs: a value that begins with
// "->" is where a link leads.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if len(content) > 2 && content[:2] == "->" {
			err = os.Symlink(content[2:], p)
		} else {
			err = os.WriteFile(p, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestNodes(t *testing.T) {
	const dev = "devices/pci0/usb1/1-1.2/"
	sys := tree(t, map[string]string{
		dev + "idVendor":                                     "046d\n",
		dev + "manufacturer":                                 "Acme\n",
		dev + "product":                                      "HD Cam\n",
		dev + "serial":                                       "A B/1\n",
		dev + "1-1.2:1.0/driver":                             "->/nowhere/uvcvideo",
		dev + "1-1.2:1.0/bInterfaceClass":                    "0e\n",
		dev + "1-1.2:1.0/video4linux/video10/name":           "HD Cam: HD Cam\n",
		dev + "1-1.2:1.0/video4linux/video10/index":          "0\n",
		dev + "1-1.2:1.0/video4linux/video10/device":         "->../../../1-1.2:1.0",
		dev + "1-1.2:1.0/video4linux/video11/name":           "HD Cam: HD Cam\n",
		dev + "1-1.2:1.0/video4linux/video11/index":          "1\n",
		dev + "1-1.2:1.0/video4linux/video11/device":         "->../../../1-1.2:1.0",
		"devices/platform/vivid.0/video4linux/video2/name":   "vivid-000-vid-cap\n",
		"devices/platform/vivid.0/video4linux/video2/device": "->../../../vivid.0",
		"devices/platform/vivid.0/driver":                    "->/nowhere/vivid",
		"class/video4linux/video10":                          "->../../" + dev + "1-1.2:1.0/video4linux/video10",
		"class/video4linux/video11":                          "->../../" + dev + "1-1.2:1.0/video4linux/video11",
		"class/video4linux/video2":                           "->../../devices/platform/vivid.0/video4linux/video2",
		"class/video4linux/radio0/name":                      "no camera\n",
		"class/video4linux/v4l-subdev0/name":                 "no camera\n",
	})
	nodes, err := System{Sys: sys, Dev: "/d"}.Nodes()
	if err != nil || len(nodes) != 3 {
		t.Fatalf("got %d nodes, %v, want 3", len(nodes), err)
	}
	first := nodes[0]
	if first.Path != "/d/video2" || first.Driver != "vivid" || first.Name != "vivid-000-vid-cap" || first.USB != nil {
		t.Errorf("first node is %+v, want video2 of vivid, not USB", first)
	}
	for i, n := range nodes[1:] {
		if n.Number != 10+i || n.Index != i || n.Driver != "uvcvideo" || n.USB == nil {
			t.Fatalf("node %+v, want video%d, index %d, of uvcvideo at USB", n, 10+i, i)
		}
		want := USB{Path: "1-1.2", Interface: "1.0", Serial: "A B/1", Maker: "Acme", Product: "HD Cam"}
		if *n.USB != want {
			t.Errorf("USB is %+v, want %+v", *n.USB, want)
		}
	}
}

// TestDeviceFiles: a container has been given some of the devices, by names of
// its own.
func TestDeviceFiles(t *testing.T) {
	d := deviceFiles{"/dev/video0": "81:2", "/dev/video5": "81:5"}
	for _, x := range []struct{ usual, number, want string }{
		{"/dev/video5", "81:5", "/dev/video5"},
		{"/dev/video2", "81:2", "/dev/video0"},
		{"/dev/video0", "81:0", ""},            // that name is another camera here
		{"/dev/video7", "81:7", "/dev/video7"}, // not there (yet)
		{"/dev/video8", "", "/dev/video8"},
	} {
		if got := d.of(x.usual, x.number); got != x.want {
			t.Errorf("%s, number %q, is %q, want %q", x.usual, x.number, got, x.want)
		}
	}
	if got := devices("/dev"); got["/dev/null"] != "" {
		t.Errorf("video devices are %v, /dev/null is none", got)
	}
}

func TestNodesNone(t *testing.T) {
	nodes, err := System{Sys: t.TempDir()}.Nodes()
	if err != nil || len(nodes) != 0 {
		t.Errorf("without a video class: %v, %v, want nothing", nodes, err)
	}
}

// TestDeviceCaps is the trap of the webcam's second node: the capabilities are
// those of the whole device, and only device_caps those of the node.
func TestDeviceCaps(t *testing.T) {
	for name, c := range map[string]struct {
		caps, device uint32
		want         bool
	}{
		"picture node of a webcam":     {0x84a00001, 0x04200001, true},
		"metadata node of a webcam":    {0x84a00001, 0x04a00000, false},
		"driver without device_caps":   {0x04000001, 0, true},
		"codec, memory to memory":      {0x84208000, 0x04208000, false},
		"output":                       {0x84200002, 0x04200002, false},
		"read() only":                  {0x81000001, 0x01000001, false},
		"several planes (an ISP)":      {0x84201000, 0x04201000, false},
		"set up by a media controller": {0xa4200001, 0x24200001, false},
	} {
		if got := infoOf(&capability{capabilities: c.caps, deviceCaps: c.device}).Captures(); got != c.want {
			t.Errorf("%s: Captures = %v, want %v", name, got, c.want)
		}
	}
}

func TestControlName(t *testing.T) {
	for in, want := range map[string]string{
		"Brightness":                     "brightness",
		"White Balance, Automatic":       "white_balance_automatic",
		"Exposure Time, Absolute":        "exposure_time_absolute",
		"  U & V: 2 ":                    "u_v_2",
		"Focus (absolute)":               "focus_absolute",
		"Power Line Frequency":           "power_line_frequency",
		"":                               "",
		"Ümlaut":                         "mlaut",
		"Exposure, Dynamic Framerate---": "exposure_dynamic_framerate",
	} {
		if got := controlName(in); got != want {
			t.Errorf("controlName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestInterval(t *testing.T) {
	for fps, want := range map[float64]fraction{
		30: {1, 30}, 1: {1, 1}, 7.5: {1000, 7500}, 29.97: {1000, 29970}, 0.2: {1000, 200},
	} {
		if got := interval(fps); got != want {
			t.Errorf("interval(%v) = %v, want %v", fps, got, want)
		}
	}
	for _, f := range []fraction{{0, 30}, {1, 0}} {
		if got := f.perSecond(); got != 0 {
			t.Errorf("%v is %v per second, want 0: no interval", f, got)
		}
	}
}

func TestUsualSizes(t *testing.T) {
	s := frameSize{minWidth: 48, maxWidth: 1280, stepWidth: 16, minHeight: 32, maxHeight: 720, stepHeight: 1}
	got := s.usual()
	if len(got) == 0 || got[0] != (Size{160, 120}) || got[len(got)-1] != (Size{1280, 720}) {
		t.Errorf("usual sizes of a scaler up to 1280x720 are %v", got)
	}
}

// TestAgain: a signal is no answer.
func TestAgain(t *testing.T) {
	calls := 0
	err := again(func() error {
		if calls++; calls < 4 {
			return unix.EINTR
		}
		return unix.EBUSY
	})
	if err != unix.EBUSY || calls != 4 {
		t.Errorf("interrupted three times: %v after %d calls, want EBUSY after 4", err, calls)
	}
}

// TestCounts finds gaps in the camera's own numbers, and only there.
func TestCounts(t *testing.T) {
	var d Device
	for _, n := range []uint32{7, 8, 10, 13, 14} {
		d.number(n)
	}
	if d.Counts().Lost != 3 {
		t.Errorf("7 8 10 13 14: %d lost, want 3", d.Counts().Lost)
	}
	d.number(0) // the camera has begun anew
	d.number(0xffffffff)
	d.number(0)
	if d.Counts().Lost != 3 {
		t.Errorf("after a new beginning: %d lost, want still 3", d.Counts().Lost)
	}
}
