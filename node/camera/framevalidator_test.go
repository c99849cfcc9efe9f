package camera_test

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit/cameratest"
	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera"
)

// TestFrameValidatorDrops: what is broken is not passed on, and counted with the reason.
func TestFrameValidatorDrops(t *testing.T) {
	good := cameratest.Drawn(t, 1)
	for name, x := range map[string]struct {
		frame         camera.Frame
		full, markers bool // passes
		why           string
	}{
		"whole":             {camera.Frame{JPEG: good}, true, true, ""},
		"something behind":  {camera.Frame{JPEG: append(slices.Clone(good), "xyz"...)}, true, true, ""},
		"much behind":       {camera.Frame{JPEG: append(slices.Clone(good), make([]byte, 2*len(good))...)}, true, true, ""},
		"half with an end":  {camera.Frame{JPEG: cameratest.Half(good)}, false, true, "got the end of the data"},
		"cut":               {camera.Frame{JPEG: good[:len(good)-1]}, false, false, "truncated JPEG"},
		"no JPEG":           {camera.Frame{JPEG: []byte("<html>")}, false, false, "not a JPEG"},
		"nothing":           {camera.Frame{}, false, false, "truncated JPEG"},
		"claims to be huge": {camera.Frame{JPEG: cameratest.Huge(t)}, false, false, "got 30000x30000 pixels, want a picture of 50 megapixels or less"},
		"found by source":   {camera.Frame{Damage: errors.New("lost \x1b[31mline")}, false, false, "lost line"},
	} {
		for check, passes := range map[string]bool{camera.CheckFull: x.full, camera.CheckMarkers: x.markers} {
			faketime.Run(t, func(t *testing.T) {
				s := camera.NewFrameValidator(&cameratest.Film{Every: time.Second, Frame: func(int) camera.Frame { return x.frame }}, camera.Options{Check: check, Log: cameratest.Quiet()})
				got, _, err := cameratest.Show(t, s, 2500*time.Millisecond)
				n, why := s.Broken()
				switch {
				case err != nil:
					t.Errorf("%s, %s: %v", name, check, err)
				case passes && (len(got) != 3 || n != 0 || why != ""):
					t.Errorf("%s, %s: %d passed, %d dropped (%s); want 3 and none", name, check, len(got), n, why)
				case !passes && (len(got) != 0 || n != 3 || !strings.Contains(why, x.why)):
					t.Errorf("%s, %s: %d passed, %d dropped (%s); want 3 dropped with %q", name, check, len(got), n, why, x.why)
				}
				for _, f := range got {
					if in, err := jpeg.Scan(f.JPEG); err != nil || in.Len != len(f.JPEG) || cap(f.JPEG) > 2*len(f.JPEG)+2048 {
						t.Errorf("%s, %s: passed %d bytes (room for %d) with a picture of %d in them, %v", name, check, len(f.JPEG), cap(f.JPEG), in.Len, err)
					}
				}
			})
		}
	}
}

// TestFrameValidatorSaysSeldom: every second picture is broken, for three minutes.
func TestFrameValidatorSaysSeldom(t *testing.T) {
	pics := [][]byte{cameratest.Drawn(t, 1), cameratest.Half(cameratest.Drawn(t, 1))}
	faketime.Run(t, func(t *testing.T) {
		var log bytes.Buffer
		s := camera.NewFrameValidator(&cameratest.Film{Every: 100 * time.Millisecond, Frame: func(n int) camera.Frame { return camera.Frame{JPEG: pics[n%2]} }},
			camera.Options{Check: camera.CheckFull, Log: slog.New(slog.NewTextHandler(&log, nil))})
		for range 6 { // opening it anew must not begin the minute anew
			if _, _, err := cameratest.Show(t, s, 30*time.Second-50*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		if n, _ := s.Broken(); n != 900 {
			t.Errorf("%d broken pictures in 3 minutes, want 900", n)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 3 || !strings.Contains(lines[0], "count=1 ") || !strings.Contains(lines[1], "count=300 ") || !strings.Contains(lines[1], "damaged JPEG") {
			t.Errorf("said in 3 minutes:\n%s\nwant 3 lines, each with what was wrong", log.String())
		}
	})
}

// TestFrameValidatorHopeless: a stream of broken pictures only must not stay silent, at
// whatever rate it comes; one whole picture now and then keeps it up.
func TestFrameValidatorHopeless(t *testing.T) {
	good, bad := cameratest.Drawn(t, 1), cameratest.Half(cameratest.Drawn(t, 1))
	for name, x := range map[string]struct {
		every time.Duration
		whole int // every so manieth picture is whole; 0: none is
		after time.Duration
		text  string
	}{
		"fast":        {50 * time.Millisecond, 0, 5 * time.Second, "101 in 5s, the last: at byte"},
		"each second": {time.Second, 0, 5 * time.Second, "6 in 5s"},
		"slow":        {10 * time.Second, 0, 40 * time.Second, "5 in 40s"},
		"some whole":  {50 * time.Millisecond, 60, 0, ""},
	} {
		faketime.Run(t, func(t *testing.T) {
			s := camera.NewFrameValidator(&cameratest.Film{Wait: time.Minute, Every: x.every, Frame: func(n int) camera.Frame {
				if x.whole > 0 && n%x.whole == 0 {
					return camera.Frame{JPEG: good}
				}
				return camera.Frame{JPEG: bad}
			}}, camera.Options{Check: camera.CheckFull, Log: cameratest.Quiet()})
			start := time.Now()
			got, _, err := cameratest.Show(t, s, 10*time.Minute)
			took := time.Since(start) - time.Minute - x.every // the film looks at ctx between pictures
			switch {
			case x.after == 0:
				if err != nil || len(got) == 0 {
					t.Errorf("%s: %d pictures, %v", name, len(got), err)
				}
			case camera.CodeOf(err) != camera.Stalled || !strings.Contains(err.Error(), "sends broken pictures only: "+x.text) || took != x.after:
				t.Errorf("%s: %v (%s) after %v, want stalled after %v", name, err, camera.CodeOf(err), took, x.after)
			case !errors.Is(err, jpeg.ErrDamaged) || !strings.HasSuffix(err.Error(), "set check: markers"):
				t.Errorf("%s: cause or cure is not in the error: %v, %v", name, err, errors.Unwrap(err))
			}
			if x.after > 0 {
				// The next attempt has its own time.
				if _, _, err := cameratest.Show(t, s, time.Minute+x.every); err != nil {
					t.Errorf("%s: opened again it fails at once: %v", name, err)
				}
			}
		})
	}
}

// TestFrameValidatorSettle gives a camera that begins black, gets brighter and then
// stays as it is.
func TestFrameValidatorSettle(t *testing.T) {
	levels := map[byte][]byte{}
	for level := range 256 {
		levels[byte(level)] = cameratest.Flat(t, byte(level))
	}
	rising := func(n int) byte { return byte(min(max(0, 12*(n-4)), 120)) } // calm from picture 14 on, at 10 a second
	restless := func(n int) byte { return byte(40 * (n % 6)) }
	progressive := func(n int) []byte {
		b := slices.Clone(levels[rising(n)])
		b[bytes.Index(b, []byte{0xff, 0xc0})+1] = 0xc2
		return b
	}
	for name, x := range map[string]struct {
		settle  time.Duration
		check   string
		pic     func(n int) []byte
		settled bool
		first   int // number of the first picture passed on
	}{
		"not asked for":     {0, camera.CheckMarkers, func(n int) []byte { return levels[rising(n)] }, false, 0},
		"rising":            {5 * time.Second, camera.CheckMarkers, func(n int) []byte { return levels[rising(n)] }, false, 17},
		"rising, full":      {5 * time.Second, camera.CheckFull, func(n int) []byte { return levels[rising(n)] }, false, 17},
		"cut short":         {time.Second, camera.CheckMarkers, func(n int) []byte { return levels[rising(n)] }, false, 10},
		"restless":          {1500 * time.Millisecond, camera.CheckMarkers, func(n int) []byte { return levels[restless(n)] }, false, 15},
		"dark room":         {1500 * time.Millisecond, camera.CheckMarkers, func(int) []byte { return levels[3] }, false, 15},
		"steady":            {1500 * time.Millisecond, camera.CheckMarkers, func(int) []byte { return levels[90] }, false, 3},
		"not to be judged":  {1500 * time.Millisecond, camera.CheckMarkers, progressive, false, 15},
		"damaged, markers":  {1500 * time.Millisecond, camera.CheckMarkers, func(int) []byte { return cameratest.Half(cameratest.Drawn(t, 1)) }, false, 15},
		"settled by itself": {5 * time.Second, camera.CheckMarkers, func(n int) []byte { return levels[rising(n)] }, true, 0},
	} {
		faketime.Run(t, func(t *testing.T) {
			// The camera takes longer to begin than its pictures may take to settle.
			s := camera.NewFrameValidator(&cameratest.Film{Wait: 8 * time.Second, Every: 100 * time.Millisecond, Frame: func(n int) camera.Frame {
				return camera.Frame{JPEG: x.pic(n), Settled: x.settled}
			}}, camera.Options{Check: x.check, Settle: x.settle, Log: cameratest.Quiet()})
			for range 2 { // each Stream settles anew
				got, at, err := cameratest.Show(t, s, 12*time.Second-50*time.Millisecond)
				if want := 8*time.Second + time.Duration(x.first)*100*time.Millisecond; err != nil || len(at) == 0 || at[0] != want {
					t.Errorf("%s: %d pictures, the first after %v, %v; want it after %v", name, len(got), at[:min(1, len(at))], err, want)
				}
				if n := 40 - x.first; len(got) != n {
					t.Errorf("%s: %d pictures, want %d: none is left out once it has settled", name, len(got), n)
				}
			}
			if n, why := s.Broken(); n != 0 {
				t.Errorf("%s: %d pictures count as broken (%s), want none", name, n, why)
			}
		})
	}
}
