package subprocess

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera"
)

func TestDiagnose(t *testing.T) {
	for said, want := range map[string]camera.Code{
		"": camera.NoCamera,
		"[0:01:02.3] [9] INFO Camera camera.cpp:848 Pipeline handler in use by another process\nERROR: *** failed to acquire camera /base/x@10 ***": camera.CameraBusy,
		"ERROR V4L2 x: Unable to request 0 buffers: Device or resource busy":                                                                        camera.CameraBusy,
		"ERROR: *** no cameras available ***":                                                                    camera.NoCamera,
		"ERROR: *** unrecognised option '--foo' ***":                                                             camera.Config,
		"ERROR: *** the argument ('x') for option '--width' is invalid ***":                                      camera.Config,
		"ERROR: *** Invalid AWB mode: x ***":                                                                     camera.Config,
		"ERROR: *** illegal rotation value ***":                                                                  camera.Config,
		"ERROR: *** transforms requiring transpose not supported ***":                                            camera.Config,
		"ERROR: *** failed to start camera ***":                                                                  camera.NoCamera,
		"WARN IPARPI: Invalid something\nERROR: *** failed to allocate capture buffers ***":                      camera.NoCamera,
		"WARN V4L2: Camera frontend has timed out!":                                                              camera.Stalled,
		"Unrecognized option 'stimeout'.\nError splitting the argument list: Option not found":                   camera.Config,
		"[rtsp @ 0x1] method DESCRIBE failed: 401 Unauthorized\nrtsp://h/: Server returned 401 Unauthorized":     camera.Config,
		"[rtsp @ 0x1] method DESCRIBE failed: 404 Not Found":                                                     camera.Config,
		"rtsp://h/: Connection refused":                                                                          camera.NoCamera,
		"Unknown encoder 'mjpeg'":                                                                                camera.Config,
		"ERROR: the system appears to be configured for the legacy camera stack":                                 camera.Config,
		"/dev/video9: No such file or directory":                                                                 camera.NoCamera,
		"Connection to tcp://h:554?timeout=0 failed: Connection timed out":                                       camera.NoCamera,
		"ERROR: *** Device timeout detected ***\nERROR: *** failed to acquire camera /base/soc (after that) ***": camera.CameraBusy,
	} {
		if got := diagnose(said).code; got != want {
			t.Errorf("%q: %s, want %s", said, got, want)
		}
	}
}

// heard says whether a hang was noticed.
func heard(h *hangWatch) bool {
	select {
	case <-h.seen:
		return true
	default:
		return false
	}
}

func FuzzHangWatch(f *testing.F) {
	const line = "ERROR: Device timeout detected, attempting a restart!!!\n"
	f.Add([]byte(line+line), byte(1))
	f.Add([]byte("device timeout detectedevice timeout detecte"), byte(7))
	f.Fuzz(func(t *testing.T, said []byte, piece byte) {
		h := newHangWatch()
		for rest := said; len(rest) > 0; {
			n := min(len(rest), int(piece)+1)
			if m, err := h.Write(rest[:n]); m != n || err != nil {
				t.Fatalf("Write = %d, %v", m, err)
			}
			rest = rest[n:]
		}
		if want := bytes.Contains(bytes.ToLower(said), []byte(hangWords)); heard(h) != want {
			t.Errorf("%q in pieces of %d: noticed %v", said, int(piece)+1, !want)
		}
		if len(h.end) >= len(hangWords) {
			t.Errorf("%d bytes are kept", len(h.end))
		}
	})
}

// A program that complains is let be for as long as pictures come behind its
// complaints.
func TestSupervise(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		p := &Process{exited: make(chan struct{}), grace: time.Minute, gone: true}
		hang := newHangWatch()
		var taken atomic.Int64
		ended := make(chan struct{})
		go func() { // ends with the program, whose end is below
			p.supervise(t.Context(), hang, &taken, time.Second)
			close(ended)
		}()
		for range 3 {
			fmt.Fprintln(hang, "ERROR: Device timeout detected, attempting a restart!!!")
			time.Sleep(900 * time.Millisecond)
			taken.Add(1)
			time.Sleep(time.Minute)
			if p.hung.Load() {
				t.Fatal("given up though a picture came within the time that it may need")
			}
		}
		fmt.Fprintln(hang, "ERROR: Device timeout detected, attempting a restart!!!")
		time.Sleep(900 * time.Millisecond)
		if p.hung.Load() {
			t.Error("given up before the time is over")
		}
		time.Sleep(200 * time.Millisecond)
		if !p.hung.Load() {
			t.Error("not given up though no picture came")
		}
		close(p.exited)
		<-ended
	})
}
