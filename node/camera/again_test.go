package camera

import (
	"context"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera/board"
)

// asking is a source that takes a picture when it is asked.
type asking struct {
	film
	taken int
}

func (a *asking) Stream(ctx context.Context, m Mode, emit func(Frame)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.Prompt:
		case <-m.again:
		}
		time.Sleep(a.every)
		if ctx.Err() == nil {
			emit(a.frame(a.taken))
			a.taken++
		}
	}
}

// TestSieveAsksAgain: a picture that was asked for and is not whole is asked for again
// at once, a few times; then the camera is called stalled, and nothing waits for seconds.
func TestSieveAsksAgain(t *testing.T) {
	good, bad := drawn(t, 1), half(drawn(t, 1))
	for name, x := range map[string]struct {
		broken int // pictures before the first whole one
		takes  int
		err    Code
	}{
		"whole":         {0, 1, ""},
		"one half":      {1, 2, ""},
		"four halves":   {4, 5, ""},
		"nothing whole": {1000, 5, Stalled},
	} {
		faketime.Run(t, func(t *testing.T) {
			a := &asking{film: film{every: 300 * time.Millisecond, frame: func(n int) Frame {
				if n < x.broken {
					return Frame{JPEG: bad}
				}
				return Frame{JPEG: good}
			}}}
			ctx, cancel := context.WithTimeout(t.Context(), 4900*time.Millisecond)
			defer cancel()
			prompt, got, start := make(chan struct{}, 1), 0, time.Now()
			prompt <- struct{}{}
			var took time.Duration
			err := newSieve(a, Options{Check: CheckFull, Log: quiet()}).Stream(ctx, Mode{Prompt: prompt}, func(Frame) {
				got++
				took = time.Since(start)
			})
			if err != nil {
				took = time.Since(start)
			}
			if want := time.Duration(x.takes) * a.every; a.taken != x.takes || took != want {
				t.Errorf("%s: %d pictures were taken and it took %v, want %d and %v", name, a.taken, took, x.takes, want)
			}
			if x.err == "" && (err != nil || got != 1) || x.err != "" && (CodeOf(err) != x.err || !strings.Contains(err.Error(), "5 in 1.2s")) {
				t.Errorf("%s: %d whole pictures, %v", name, got, err)
			}
		})
	}
}

// A still that is damaged is taken again, a few times, and none after a whole one.
func TestRpicamStillAgain(t *testing.T) {
	for halves, want := range map[string]struct {
		signals int
		err     Code
	}{"1": {2, ""}, "1000": {hopelessPictures, Stalled}} {
		c := newCSI(t, "rpicam-still")
		t.Setenv("CSI_HALVES", halves)
		s := open(t, "rpicam:?stills&settle=0s", Options{Check: CheckFull})
		prompt, got := make(chan struct{}, 1), 0
		prompt <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := s.Stream(ctx, Mode{Prompt: prompt}, func(Frame) {
			got++
			cancel()
		})
		cancel()
		if n := c.has("usr1"); n != want.signals || (want.err == "") != (err == nil && got == 1) || err != nil && CodeOf(err) != want.err {
			t.Errorf("%s halves: %d pictures after %d signals, %v; want %+v", halves, got, n, err, want)
		}
	}
}

// A snap at a board that sends one half picture takes one more request and no pause.
func TestBoardHalf(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"with an end": half,
		"cut":         func(b []byte) []byte { return b[:len(b)/2] },
	} {
		for _, m := range []Mode{{FPS: 10, Still: true}, {FPS: 0.1}} {
			withESP(t, board.CameraWebServer, func(b *espBoard) { b.buffers = 1 }, func(t *testing.T, b *espBoard) {
				s := b.open("http://esp32/capture")
				took := func() (d time.Duration, requests int) {
					time.Sleep(time.Minute) // its buffer grows old
					b.log()
					start := time.Now()
					take(t, s, m, 1)
					return time.Since(start), len(b.log())
				}
				took() // finds out how many old pictures there can be
				usual, n := took()
				b.set(func() {
					sent := 0
					b.spoil = func(jpg []byte) []byte {
						if sent++; sent == n { // those before are from before the snap, and thrown away
							return spoil(jpg)
						}
						return jpg
					}
				})
				if d, more := took(); d != usual+b.grab || more != n+1 {
					t.Errorf("%s, %+v: %v and %d requests, want %v and %d", name, m, d, more, usual+b.grab, n+1)
				}
			})
		}
	}
}
