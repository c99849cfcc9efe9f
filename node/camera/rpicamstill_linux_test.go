package camera

import (
	"bytes"
	"context"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A prompt is a picture, however long the program takes to be ready: a signal
// that comes too early would kill it.
func TestRpicamStills(t *testing.T) {
	for _, source := range []string{"rpicam:?stills&settle=0s", "rpicam:?stills&settle=0s&zsl"} {
		c := newCSI(t, "rpicam-vid", "rpicam-still")
		t.Setenv("CSI_START", "300")
		leaks(t)
		s := open(t, source, Options{})
		if p := s.Profile(); !p.Prompted || p.MaxFPS != stillsFPS || p.Instant {
			t.Errorf("profile %+v", p)
		}
		ctx, cancel := context.WithCancel(t.Context())
		prompt, frames, ended := make(chan struct{}, 1), make(chan Frame, 9), make(chan error, 1)
		go func() { // ends when ctx is done; it is waited for below
			ended <- s.Stream(ctx, Mode{Prompt: prompt}, func(f Frame) { frames <- f })
		}()
		for i := range 3 {
			asked := time.Now()
			prompt <- struct{}{}
			select {
			case f := <-frames:
				if !bytes.Equal(f.JPEG, read(t, c.picture)) || f.At.Before(asked) || f.At.After(time.Now()) {
					t.Errorf("picture %d: %d bytes, %v after it was asked for", i, len(f.JPEG), f.At.Sub(asked))
				}
			case err := <-ended:
				t.Fatalf("Stream = %v", err)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := c.has("usr1"); n != 3 || len(frames) != 0 {
			t.Errorf("three prompts made %d pictures, and %d were left over", n, len(frames))
		}
		if alive(c.pid()) {
			t.Error("the program lives")
		}
	}
}

// At a rate the next picture is asked for only when the last has come.
func TestRpicamStillsAtRate(t *testing.T) {
	c := newCSI(t, "rpicam-still")
	s := open(t, "rpicam:?stills&settle=0s", Options{})
	take(t, s, Mode{FPS: 100}, 5)
	if n := c.has("usr1"); n < 5 || n > 6 {
		t.Errorf("%d were asked for until five had come", n)
	}
	t.Setenv("CSI_FRAMES", "0") // takes none any more
	before := c.has("usr1")
	var asked time.Time
	if err := stopAfter(t, s, func(int) bool {
		if asked.IsZero() && c.has("usr1") > before {
			asked = time.Now()
		}
		return !asked.IsZero() && time.Since(asked) > 200*time.Millisecond
	}); err != nil {
		t.Error(err)
	}
	if n := c.has("usr1") - before; n != 1 {
		t.Errorf("%d were asked for while none came", n)
	}
}

// The stand-in does what the real program does with "-o -": the end of a picture
// stays in its buffer.
func TestRpicamStillsStandIn(t *testing.T) {
	c := newCSI(t, "rpicam-still")
	for _, out := range []string{"-", "/dev/stdout"} {
		p, err := start([]string{"rpicam-still", "-n", "-t", "0", "--signal", "-o", out})
		if err != nil {
			t.Fatal(err)
		}
		if !p.awaitReady(t.Context()) {
			t.Fatal("not ready")
		}
		p.takePicture()
		size := len(read(t, c.picture))
		if out == "-" {
			eventually(t, "the picture is taken", func() bool { return c.has("usr1") == 1 })
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
	newCSI(t, "rpicam-still")
	t.Setenv("CSI_START", "60000")
	p, err := start([]string{"rpicam-still", "-n", "-t", "0", "--signal", "-o", "/dev/stdout"})
	if err != nil {
		t.Fatal(err)
	}
	p.takePicture()
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
