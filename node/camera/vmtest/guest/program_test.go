//go:build vmguest

package guest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/node/camera"
	"camqtt/node/camera/vmtest/webcam"
	"camqtt/node/camera/webcam/v4l2"
)

const programConfig = `
broker: {listen: 127.0.0.1:1883, data: /tmp/data}
dashboard: {listen: 127.0.0.1:8080}
cameras:
  - id: front
    source: v4l2:usb-SIM0001?settle=300ms
    size: 640x480
    fps: 10
    keep_warm: 2s
`

// program runs the whole program with a configuration until the test ends, and
// returns its process once its camera is online.
func program(t *testing.T, configuration string) (pid string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "camqtt.yaml")
	if err := os.WriteFile(config, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command("/bin/camqtt", "run", "-c", config)
	var log bytes.Buffer
	run.Stdout, run.Stderr = &log, &log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Signal(syscall.SIGTERM) // fails when it has ended, which Wait tells
		if err := run.Wait(); err != nil {
			t.Errorf("camqtt run: %v", err)
		}
		if t.Failed() {
			t.Logf("camqtt run said:\n%s", log.String())
		}
	})
	online(t)
	return strconv.Itoa(run.Process.Pid)
}

// TestProgram is all of it: camera, driver, node, broker and the command that
// asks for a picture, on one machine.
func TestProgram(t *testing.T) {
	f := newFilm()
	cam := plug(t, webcam.Options{Maker: "Acme", Name: "Sim Webcam", Serial: "SIM0001", Picture: f.picture})
	pid := program(t, programConfig)

	began := time.Now()
	pic := snap(t)
	if in, err := jpeg.Scan(pic); err != nil || !in.HasTables || !in.HasEXIF || in.Width != 640 {
		t.Errorf("Scan = %+v, %v, want 640x480 with tables and EXIF", in, err)
	}
	decode(t, pic)
	if _, ok := f.find(without(withoutTables(pic), 0xe1)); !ok {
		t.Error("without tables and EXIF the picture is not, byte by byte, one that the camera has sent")
	}
	if at, ok := jpeg.CaptureTime(pic); !ok || at.Before(began.Add(-time.Millisecond)) || at.After(time.Now()) {
		t.Errorf("the picture was taken %v (%v), want after it was asked for at %v", at, ok, began)
	}
	t.Logf("cold snap: %v", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	snap(t)
	t.Logf("warm snap: %v", time.Since(began).Round(time.Millisecond))
	closed(t, pid)

	// Somebody else has the camera.
	other := start(t, source(t, "v4l2:"), camera.Mode{})
	other.next()
	refused(t, "camera_busy", "in use by guest (process "+strconv.Itoa(os.Getpid())+")")
	other.stop()

	// The cable is pulled while it streams, and put back under another number.
	snapUntil(t)
	held, err := v4l2.Open(node(t, cam))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	before := held.Path()
	unplug(t, cam)
	closed(t, pid)
	refused(t, "no_camera", "")
	if err := cam.Plug(); err != nil {
		t.Fatal(err)
	}
	if after := node(t, cam); after == before {
		t.Fatalf("the camera is %s again: nothing is proved", after)
	}
	snapUntil(t)
	closed(t, pid)
}

// online waits for the camera of the program.
func online(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		all, err := cameras()
		if len(all) == 1 && all[0].Status == "online" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("/api/cameras = %+v, %v, want one camera, online", all, err)
		}
	}
}

func trySnap(t *testing.T) ([]byte, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/camqtt", "snap", "front", "-o", "-")
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	err := cmd.Run()
	return out.Bytes(), strings.TrimSpace(text.String()), err
}

func snap(t *testing.T) []byte {
	t.Helper()
	pic, text, err := trySnap(t)
	if err != nil {
		t.Fatalf("camqtt snap: %v: %s", err, text)
	}
	return pic
}

// command runs camqtt and expects it to succeed.
func command(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "/bin/camqtt", args...).CombinedOutput(); err != nil {
		t.Fatalf("camqtt %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// snapUntil asks until the camera is back.
func snapUntil(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		_, text, err := trySnap(t)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("camqtt snap: %v: %s", err, text)
		}
	}
}

// refused expects a snap to fail, with these words.
func refused(t *testing.T, words ...string) {
	t.Helper()
	_, text, err := trySnap(t)
	if err == nil {
		t.Fatalf("camqtt snap gave a picture, want %v", words)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("camqtt snap said %q, want %q in it", text, w)
		}
	}
	t.Log(text)
}

// closed waits until a process has no video node open.
func closed(t *testing.T, pid string) {
	t.Helper()
	for end := time.Now().Add(patience); len(openNodes(pid)) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %s still has %v open", pid, openNodes(pid))
		}
	}
}
