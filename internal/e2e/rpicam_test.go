package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"camqtt/internal/testkit"
)

// pi is a machine with the stand-in for a Raspberry Pi's camera programs.
type pi struct{ notes, device string }

func newPi(t testing.TB) pi {
	t.Helper()
	dir := t.TempDir()
	p := pi{filepath.Join(dir, "notes"), filepath.Join(dir, "device")}
	program := filepath.Join(dir, "rpicam-vid")
	if _, stderr, status := testkit.Run(t, testkit.Tool(t, "gcc"), "-o", program, "internal/testkit/cameratest/testdata/rpicam.c"); status != 0 {
		t.Fatal(stderr)
	}
	if err := os.Link(program, filepath.Join(dir, "rpicam-still")); err != nil {
		t.Fatal(err)
	}
	pic := filepath.Join(dir, "pic.jpg")
	if err := os.WriteFile(pic, testkit.JPEG(t, 64, 48, 1, 0), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("CSI_NOTES", p.notes)
	t.Setenv("CSI_DEVICE", p.device)
	t.Setenv("CSI_PICTURE", pic)
	t.Setenv("CSI_LIST", "0 : imx219 [3280x2464 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx219@10)\n    Modes: 'SRGGB10_CSI2P' : 640x480 [206.65 fps - (1000, 752)/1280x960 crop]")
	return p
}

func (p pi) has(t testing.TB, note string) int { return strings.Count(string(read(t, p.notes)), note) }

// TestRaspberryPi has the whole program drive the camera programs: live by
// rpicam-vid, and picture by picture by rpicam-still.
func TestRaspberryPi(t *testing.T) {
	p := newPi(t)
	out := filepath.Join(t.TempDir(), "x.jpg")
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.live.source=rpicam:", "cameras.live.rotate=180", "cameras.live.keep_warm=0",
		"cameras.still.source=rpicam:?stills=on&settle=0s", "cameras.still.keep_warm=1m")
	online(t, hub.mqtt, "live")
	online(t, hub.mqtt, "still")
	must(t, "snap", "live", "--broker", hub.mqtt, "-o", out)
	decode(t, read(t, out))
	if n := p.has(t, "--hflip --vflip"); n == 0 || n != p.has(t, " rpicam-vid -n ") {
		t.Errorf("rotate: 180 was not passed on:\n%s", read(t, p.notes))
	}

	holder, err := os.OpenFile(p.device, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	testkit.Until(t, "the camera is free", func() bool {
		return syscall.Flock(int(holder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
	})
	if _, stderr, status := camqtt(t, "snap", "still", "--broker", hub.mqtt, "-o", out); status != 1 || !strings.Contains(stderr, "failed to acquire camera") {
		t.Errorf("snap of a camera in use: exit %d\n%s", status, stderr)
	}
	if err := syscall.Flock(int(holder.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the camera is used again", func() bool {
		_, _, status := camqtt(t, "snap", "still", "--broker", hub.mqtt, "-o", out)
		return status == 0
	})
	decode(t, read(t, out))
	before := p.has(t, "usr1")
	must(t, "snap", "still", "--broker", hub.mqtt, "-o", out)
	if n := p.has(t, "usr1") - before; n != 1 || before == 0 {
		t.Errorf("a snap took %d pictures, and those before it %d", n, before)
	}
	// Live it must be refused while the other has the camera.
	if _, stderr, status := camqtt(t, "snap", "live", "--broker", hub.mqtt, "-o", out); status != 1 || !strings.Contains(stderr, "acquire") {
		t.Errorf("snap of a camera in use: exit %d\n%s", status, stderr)
	}
}
