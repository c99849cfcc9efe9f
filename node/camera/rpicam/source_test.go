package rpicam

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

const vidHead = "-n -t 0 --codec mjpeg --flush -o - --framerate "

func TestRpicamArguments(t *testing.T) {
	for source, want := range map[string]string{
		"rpicam:":    vidHead + "10 --quality 80",
		"RPICAM:1":   vidHead + "10 --quality 80 --camera 1",
		"rpicam:?ev": "!ev \"on\": want -10 to 10",
		"rpicam:?hflip&vflip=off&awb=Daylight&awbgains=1.8,1.5": vidHead + "10 --quality 80 --hflip --awb daylight --awbgains 1.8,1.5",
		"rpicam:0?rotation=180&roi=0.25,0.25,.5,.5":             vidHead + "10 --quality 80 --camera 0 --hflip --vflip --roi 0.25,0.25,0.5,0.5",
		"rpicam:?rotation=180&hflip=on":                         vidHead + "10 --quality 80 --vflip",
		"rpicam:?shutter=20ms&gain=2&flicker=10ms&ev=+1.5":      vidHead + "10 --quality 80 --shutter 20000 --gain 2 --flicker-period 10000 --ev 1.5",
		"rpicam:?shutter=8333&flicker-period=8333us":            vidHead + "10 --quality 80 --shutter 8333 --flicker-period 8333",
		"rpicam:?autofocus=continuous&autofocus-range=macro":    vidHead + "10 --quality 80 --autofocus-mode continuous --autofocus-range macro",
		"rpicam:?autofocus-mode=manual&lens-position=0":         vidHead + "10 --quality 80 --autofocus-mode manual --lens-position 0",
		"rpicam:?denoise=cdn_off&hdr=single-exp&exposure=sport": vidHead + "10 --quality 80 --denoise cdn_off --hdr single-exp --exposure sport",
		"rpicam:?metering=spot&mode=2304:1296:10:P":             vidHead + "10 --quality 80 --metering spot --mode 2304:1296:10:P",
		"rpicam:?tuning=/usr/share/a%26b.json&sharpness=0":      vidHead + "10 --quality 80 --tuning-file /usr/share/a&b.json --sharpness 0",
		"rpicam:?brightness=-0.1&contrast=1.2&saturation=0x1p0": vidHead + "10 --quality 80 --brightness -0.1 --contrast 1.2 --saturation 1",
		"rpicam:?stills":           "-n -t 0 --signal --thumb none -o /dev/stdout",
		"rpicam:?stills=on&zsl=on": "-n -t 0 --signal --thumb none -o /dev/stdout --zsl",
	} {
		s, err := openSource(source, camera.Options{})
		if text, bad := strings.CutPrefix(want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("Open(%q) = %v, want %q", source, err, text)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		r := s.(*camera.FrameValidator).Source.(*rpicam)
		if got := strings.Join(r.arguments(r.where, camera.Mode{}), " "); got != want {
			t.Errorf("%s: %s\nwant %s", source, got, want)
		}
	}
	r := open(t, "rpicam:", camera.Options{Settle: -1}).(*camera.FrameValidator).Source.(*rpicam)
	if got, want := strings.Join(r.arguments("1", camera.Mode{Width: 1280, Height: 720, FPS: 2.5, Quality: 75}), " "), vidHead+"2.5 --width 1280 --height 720 --quality 75 --camera 1"; got != want {
		t.Errorf("with a mode %s\nwant %s", got, want)
	}
}

// The camera turns what it can; the rest is left to the caller.
func TestRpicamRotate(t *testing.T) {
	cameratest.NewCSI(t)
	for _, c := range []struct {
		rotate, source, args string
		turns                bool
	}{
		{"", "rpicam:", "", true},
		{"0", "rpicam:", "", true},
		{"180", "rpicam:", "--hflip --vflip", true},
		{"hflip", "rpicam:", "--hflip", true},
		{"vflip", "rpicam:", "--vflip", true},
		{"90", "rpicam:", "", false},
		{"270", "rpicam:?hflip", "--hflip", false},
		{"180", "rpicam:?rotation=180", "", true},
		{"vflip", "rpicam:?hflip=on", "--hflip --vflip", true},
	} {
		s := open(t, c.source, camera.Options{Rotate: c.rotate})
		if got := slices.Contains(s.Profile().Caps, camera.CapRotate); got != c.turns {
			t.Errorf("%s rotated %s: turns it itself: %v, want %v", c.source, c.rotate, got, c.turns)
		}
		if got := strings.Join(s.(*camera.FrameValidator).Source.(*rpicam).arguments("", camera.Mode{}), " "); strings.TrimSpace(strings.TrimPrefix(got, vidHead+"10 --quality 80")) != c.args {
			t.Errorf("%s rotated %s: arguments %s, want %s", c.source, c.rotate, got, c.args)
		}
	}
}

func TestRpicamOptionErrors(t *testing.T) {
	for source, want := range map[string]string{
		"rpicam:front":                                 `source rpicam:front: camera "front": want rpicam: alone for the first camera, rpicam:1 for the second, or rpicam: and the path`,
		"rpicam:-1":                                    `camera "-1"`,
		"rpicam:?awb=sunny":                            `source rpicam:?awb=sunny: awb "sunny": want one of auto, incandescent,`,
		"rpicam:?awbgains=1":                           `awbgains "1": want red and blue gain`,
		"rpicam:?roi=0,0,2,1":                          `roi "0,0,2,1": want x,y,width,height, each 0 to 1`,
		"rpicam:?ev=NaN":                               `ev "NaN": want -10 to 10`,
		"rpicam:?rotation=90":                          `rotation "90": want 0 or 180`,
		"rpicam:?hflip=maybe":                          `hflip "maybe": want on or off`,
		"rpicam:?shutter=-1ms":                         `shutter "-1ms": want a time`,
		"rpicam:?mode=big":                             `mode "big": want width:height`,
		"rpicam:?lens-position=far":                    `lens-position "far": want dioptres, 0 to 32, or default`,
		"rpicam:?tuning=":                              `tuning "": want the path`,
		"rpicam:?output=/etc/x":                        `unknown option "output": want one of stills, zsl, settle, hflip, vflip, rotation, awb,`,
		"rpicam:?autofocus=auto&autofocus-mode=manual": `autofocus-mode is given twice`,
		"rpicam:?gain=1&gain=2":                        `gain is given twice`,
		"rpicam:?zsl":                                  `zsl is for stills: want stills=on as well`,
		"rpicam:?stills&settle=1h":                     `settle "1h": want a time up to 10s`,
		"rpicam:?buffer-count=0":                       `buffer-count "0": want 1 to 16`,
		"rpicam:?awb=%zz":                              `awb: invalid URL escape`,
	} {
		_, err := openSource(source, camera.Options{})
		if camera.CodeOf(err) != camera.Config || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) = %v, want config with %q", source, err, want)
		}
	}
}

func TestParseCameras(t *testing.T) {
	all := parseCameras(cameratest.CsiList)
	if len(all) != 2 {
		t.Fatalf("%d cameras, want two without the webcam: %+v", len(all), all)
	}
	a, b := all[0], all[1]
	if a.number != "0" || a.model != "imx219" || a.id != cameratest.CsiFirst || a.maxFPS != 206.65 || !slices.Equal(a.sizes, []camera.Size{{Width: 640, Height: 480}, {Width: 1640, Height: 1232}}) {
		t.Errorf("first camera %+v", a)
	}
	if b.number != "1" || b.model != "imx708_wide" || b.id != cameratest.CsiSecond || b.maxFPS != 120.13 || len(b.sizes) != 3 {
		t.Errorf("second camera %+v", b)
	}
	for _, s := range []camera.Size{{Width: 1280, Height: 720}, {Width: 1536, Height: 864}, {Width: 1920, Height: 1080}, {Width: 4608, Height: 2592}} {
		if !slices.Contains(b.offers, s) {
			t.Errorf("%s is not offered: %v", s, b.offers)
		}
	}
	if slices.Contains(a.offers, camera.Size{Width: 4608, Height: 2592}) || a.offers[len(a.offers)-1] != (camera.Size{Width: 3280, Height: 2464}) {
		t.Errorf("more is offered than the sensor has: %v", a.offers)
	}
	for _, none := range []string{"", "No cameras available!\n", "    Modes: 'X' : 640x480 [30 fps]", "0 : x [0x0]\n"} {
		if all := parseCameras(none); len(all) != 0 {
			t.Errorf("%q has cameras %+v", none, all)
		}
	}
	if all := parseCameras("0 : ov5647 [2592x1944]\n"); len(all) != 1 || all[0].model != "ov5647" { // 2021's
		t.Errorf("older list: %+v", all)
	}
}

func FuzzParseCameras(f *testing.F) {
	f.Add(cameratest.CsiList)
	f.Add("0 : a [1x1] (/b)\n1x1 [1 fps")
	f.Fuzz(func(t *testing.T, list string) {
		for _, c := range parseCameras(list) {
			if c.size.Width <= 0 || c.size.Height <= 0 || c.maxFPS < 0 || len(c.offers) == 0 {
				t.Errorf("%q has camera %+v", list, c)
			}
		}
	})
}

func FuzzParseRpicam(f *testing.F) {
	for _, s := range []string{"", "0?hflip", "/base/x@1?awb=auto&roi=0,0,1,1&shutter=1ms", "?mode=1:2:3:P&ev=1e-9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		s, err := openSource("rpicam:"+rest, camera.Options{})
		if err != nil {
			return
		}
		for i, a := range s.(*camera.FrameValidator).Source.(*rpicam).args {
			if i%2 == 0 && !strings.HasPrefix(a, "--") {
				t.Errorf("%q gives arguments %q", rest, s.(*camera.FrameValidator).Source.(*rpicam).args)
			}
		}
	})
}

// The programs are found by all their names, and what the camera is is known
// before it streams.
func TestRpicamStream(t *testing.T) {
	for _, prefix := range []string{"rpicam-", "libcamera-"} {
		c := cameratest.NewCSI(t, prefix+"vid")
		cameratest.Leaks(t)
		s := open(t, "rpicam:"+cameratest.CsiSecond, camera.Options{Settle: -1, StopGrace: cameratest.Unhurried})
		if p := s.Profile(); p.Make != "Raspberry Pi" || p.Model != "imx708_wide" || p.MaxFPS != 120.13 || !slices.Contains(p.Sizes, camera.Size{Width: 2304, Height: 1296}) {
			t.Errorf("profile %+v", p)
		}
		s.Profile()
		start := time.Now()
		got := cameratest.Take(t, s, camera.Mode{Width: 640, Height: 480, FPS: 50, Quality: 80}, 3)
		want := []string{prefix + "vid --list-cameras", prefix + "vid " + vidHead + "50 --width 640 --height 480 --quality 80 --camera 1", "interrupted"}
		if ran := c.Ran(); !slices.Equal(ran, want) {
			t.Errorf("ran %q, want %q", ran, want)
		}
		for _, f := range got {
			if f.At.After(time.Now()) || f.At.Before(start.Add(-20*time.Millisecond)) {
				t.Errorf("picture of %v after the start", f.At.Sub(start))
			}
		}
	}
}

// After a failure the camera is looked for again, because its number may have
// changed; what is known of it stays known.
func TestRpicamNumberChanges(t *testing.T) {
	c := cameratest.NewCSI(t, "rpicam-vid")
	s := open(t, "rpicam:"+cameratest.CsiSecond, camera.Options{Settle: -1})
	s.Profile()
	t.Setenv("CSI_LIST", "0 : imx708_wide [4608x2592 10-bit RGGB] ("+cameratest.CsiSecond+")")
	if e, _ := cameratest.Fails(t, s, camera.Mode{}); e.Code != camera.NoCamera || !strings.Contains(e.Text, "selected camera is not available") {
		t.Errorf("%s: %q", e.Code, e.Text)
	}
	if p := s.Profile(); p.Model != "imx708_wide" || len(p.Sizes) == 0 {
		t.Errorf("profile after a failure %+v", p)
	}
	cameratest.Take(t, s, camera.Mode{FPS: 50}, 1)
	if ran := c.Ran(); !strings.HasSuffix(ran[len(ran)-2], "--camera 0") {
		t.Errorf("ran %q", ran)
	}
}

// What a frame shows was exposed before its first byte came: a snap must not be
// served with one that was on its way already.
func TestRpicamExposedBefore(t *testing.T) {
	cameratest.NewCSI(t, "rpicam-vid")
	s := open(t, "rpicam:", camera.Options{Settle: -1})
	at := make(chan time.Duration, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := s.Stream(ctx, camera.Mode{FPS: 4}, func(f camera.Frame) {
		at <- time.Since(f.At)
		cancel()
	}); err != nil {
		t.Fatal(err)
	}
	if age := <-at; age < 250*time.Millisecond {
		t.Errorf("at 4 pictures a second one is said to be %v old when it comes, want an interval at least", age)
	}
}

// Without --flush the end of each picture waits in the program for the next.
func TestRpicamFlushes(t *testing.T) {
	c := cameratest.NewCSI(t, "rpicam-vid")
	t.Setenv("CSI_FRAMES", "3")
	count := func(source string) int {
		n := 0
		if err := cameratest.StopAfter(t, open(t, source, camera.Options{Settle: -1, StopGrace: cameratest.Unhurried}), func(pictures int) bool {
			n = pictures
			return c.Has("written") > 0 && (pictures == 3 || source != "rpicam:")
		}); err != nil {
			t.Error(err)
		}
		if err := os.Remove(c.Notes); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count("rpicam:"); n != 3 {
		t.Errorf("%d of 3 pictures came", n)
	}
	if n := count("exec:rpicam-vid -n -t 0 --codec mjpeg -o - --framerate 50"); n > 2 {
		t.Errorf("%d of 3 came without --flush: the stand-in is not like the real one", n)
	}
}

func TestRpicamErrors(t *testing.T) {
	for name, c := range map[string]struct {
		env  [2]string
		src  string
		code camera.Code
		text string
	}{
		"no camera":       {[2]string{"CSI_THROWS", "no cameras available"}, "rpicam:", camera.NoCamera, "exit status 255: ERROR: *** no cameras available ***: is the camera's cable in"},
		"wrong number":    {[2]string{}, "rpicam:7", camera.NoCamera, "exit status 255: ERROR: *** selected camera is not available ***: is the"},
		"wrong id":        {[2]string{}, "rpicam:/base/soc/none", camera.NoCamera, "no camera rpicam:/base/soc/none: there is rpicam:" + cameratest.CsiFirst + " (imx219), rpicam:" + cameratest.CsiSecond},
		"no list":         {[2]string{"CSI_LIST", "No cameras available!"}, "rpicam:" + cameratest.CsiFirst, camera.NoCamera, "there is no camera"},
		"busy buffers":    {[2]string{"CSI_SAYS", "ERROR V4L2 v4l2_videodevice.cpp:1: /dev/video0: Unable to request 0 buffers: Device or resource busy"}, "rpicam:", camera.CameraBusy, "exit status 255"},
		"legacy":          {[2]string{"CSI_SAYS", "ERROR: the system appears to be configured for the legacy camera stack"}, "rpicam:", camera.Config, "legacy camera stack: turn the legacy camera off"},
		"no Pi":           {[2]string{"CSI_SAYS", "ERROR: rpicam-apps currently only supports the Raspberry Pi platforms."}, "rpicam:", camera.Config, "only supports the Raspberry Pi"},
		"unknown option":  {[2]string{"CSI_THROWS", "unrecognised option '--hdr'"}, "rpicam:", camera.Config, "unrecognised option '--hdr'"},
		"bad mode":        {[2]string{"CSI_THROWS", "Invalid mode"}, "rpicam:", camera.Config, "Invalid mode"},
		"bad lens":        {[2]string{"CSI_THROWS", "the argument ('x') for option '--gain' is invalid"}, "rpicam:", camera.Config, "is invalid"},
		"something else":  {[2]string{"CSI_THROWS", "failed to start camera"}, "rpicam:", camera.NoCamera, "exit status 255: ERROR: *** failed to start camera ***"},
		"stills: no such": {[2]string{"CSI_THROWS", "no cameras available"}, "rpicam:?stills", camera.NoCamera, "no cameras available"},
	} {
		t.Run(name, func(t *testing.T) {
			cameratest.NewCSI(t, "rpicam-vid", "rpicam-still")
			cameratest.Leaks(t)
			if c.env[0] != "" {
				t.Setenv(c.env[0], c.env[1])
			}
			e, got := cameratest.Fails(t, open(t, c.src, camera.Options{Settle: -1}), camera.Mode{})
			if e.Code != c.code || !strings.Contains(e.Text, c.text) || len(got) > 0 {
				t.Errorf("%s: %q, want %s with %q", e.Code, e.Text, c.code, c.text)
			}
		})
	}
	t.Run("not installed", func(t *testing.T) {
		cameratest.NewCSI(t)
		for source, want := range map[string]string{"rpicam:": "neither rpicam-vid nor libcamera-vid", "rpicam:?stills": "neither rpicam-still nor libcamera-still"} {
			if e, _ := cameratest.Fails(t, open(t, source, camera.Options{Settle: -1}), camera.Mode{}); e.Code != camera.Config || !strings.Contains(e.Text, want) || !strings.Contains(e.Text, "exec:raspivid") {
				t.Errorf("%s: %s: %q", source, e.Code, e.Text)
			}
		}
	})
}

// Somebody else has the camera.
func TestRpicamBusy(t *testing.T) {
	c := cameratest.NewCSI(t, "rpicam-vid")
	other, err := os.OpenFile(c.Device, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s := open(t, "rpicam:", camera.Options{Settle: -1})
	if e, _ := cameratest.Fails(t, s, camera.Mode{}); e.Code != camera.CameraBusy || !strings.Contains(e.Text, "exit status 255: ERROR: *** failed to acquire camera /base/soc") {
		t.Errorf("%s: %q", e.Code, e.Text)
	}
	other.Close()
	cameratest.Take(t, s, camera.Mode{FPS: 50}, 1)
}

// A sensor that stops makes the program complain for ever and ignore SIGINT: it
// is killed, and the cable named.
func TestRpicamHang(t *testing.T) {
	c := cameratest.NewCSI(t, "rpicam-vid")
	t.Setenv("CSI_FRAMES", "2")
	t.Setenv("CSI_HANG", "1")
	cameratest.Leaks(t)
	e, got := cameratest.Fails(t, open(t, "rpicam:", camera.Options{Settle: -1}), camera.Mode{FPS: 50})
	if e.Code != camera.Stalled || !strings.Contains(e.Text, "check that the camera's cable is attached securely") || len(got) != 2 {
		t.Errorf("after %d pictures %s: %q", len(got), e.Code, e.Text)
	}
	if cameratest.Alive(c.Pid()) {
		t.Error("the program lives")
	}
	// The caller may have lost patience first.
	err := cameratest.StopAfter(t, open(t, "rpicam:", camera.Options{Settle: -1}), func(int) bool { return c.Has("written") == 2 })
	if err != nil || cameratest.Alive(c.Pid()) {
		t.Errorf("Stream = %v, the program lives: %v", err, cameratest.Alive(c.Pid()))
	}
}

func TestDetectCSI(t *testing.T) {
	cameratest.NewCSI(t)
	if found, err := Detect(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("without the programs %+v, %v", found, err)
	}
	cameratest.NewCSI(t, "libcamera-vid")
	found, err := Detect(t.Context())
	if err != nil || len(found) != 2 || found[0].Source != "rpicam:"+cameratest.CsiFirst || found[1].Name != "imx708_wide" || found[1].MaxFPS != 120.13 {
		t.Errorf("found %+v, %v", found, err)
	}
	for _, f := range found {
		open(t, f.Source, camera.Options{})
	}
	t.Setenv("CSI_LIST", "")
	t.Setenv("PATH", cameratest.FakeTool(t, "rpicam-vid", "echo 'ERROR: *** failed to acquire camera x ***' >&2; exit 255"))
	if _, err := Detect(t.Context()); camera.CodeOf(err) != camera.CameraBusy {
		t.Errorf("a list that fails: %v", err)
	}
}
