package subprocess

import (
	"strings"
	"syscall"
	"testing"

	"camqtt/internal/testkit/cameratest"
)

// The stand-in does what the real program does with "-o -": the end of a picture
// stays in its buffer.
func TestRpicamStillsStandIn(t *testing.T) {
	c := cameratest.NewCSI(t, "rpicam-still")
	for _, out := range []string{"-", "/dev/stdout"} {
		p, err := start([]string{"rpicam-still", "-n", "-t", "0", "--signal", "-o", out})
		if err != nil {
			t.Fatal(err)
		}
		if !p.AwaitReady(t.Context()) {
			t.Fatal("not ready")
		}
		p.TakePicture()
		size := len(cameratest.Read(t, c.Picture))
		if out == "-" {
			cameratest.Eventually(t, "the picture is taken", func() bool { return c.Has("usr1") == 1 })
			p.stop()
		}
		b := make([]byte, 1<<20)
		n := 0
		for n < size {
			m, err := p.stdout.Read(b[n:])
			if err != nil {
				break
			}
			n += m
		}
		p.stop()
		p.stdout.Close()
		p.stderr.Close()
		if whole := n == size; whole != (out != "-") {
			t.Errorf("-o %s: %d of %d bytes came", out, n, size)
		}
	}
}

// A signal before the program handles it kills it: that is what waiting is for.
func TestRpicamTooEarly(t *testing.T) {
	cameratest.NewCSI(t, "rpicam-still")
	t.Setenv("CSI_START", "60000")
	p, err := start([]string{"rpicam-still", "-n", "-t", "0", "--signal", "-o", "/dev/stdout"})
	if err != nil {
		t.Fatal(err)
	}
	p.TakePicture()
	<-p.exited
	p.stdout.Close()
	p.stderr.Close()
	if p.err == nil || !strings.Contains(p.err.Error(), "user defined signal 1") {
		t.Errorf("it ended with %v", p.err)
	}
}

func TestCatches(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tx\nSigCgt:\t0000000000000200\n": true,
		"SigCgt:\t0000000180004a02\n":           true,
		"SigCgt:\t0000000180004002\n":           false,
		"SigIgn:\t0000000000000200\n":           false,
		"SigCgt:\tnonsense\n":                   false,
		"":                                      false,
	} {
		if got := catches(status, syscall.SIGUSR1); got != want {
			t.Errorf("%q: %v", status, got)
		}
	}
}
