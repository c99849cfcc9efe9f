package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	stdjpeg "image/jpeg"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera/board"
)

// film is a source that shows what a test has made, on fake time.
type film struct {
	wait, every time.Duration // before the first picture, and between pictures
	frame       func(n int) Frame
}

func (*film) Profile() Profile { return Profile{Kind: "film"} }

func (f *film) Stream(ctx context.Context, _ Mode, emit func(Frame)) error {
	time.Sleep(f.wait)
	for n := 0; ctx.Err() == nil; n++ {
		emit(f.frame(n))
		time.Sleep(f.every)
	}
	return nil
}

// show streams for so long and returns the pictures and when each came.
func show(t *testing.T, s Source, d time.Duration) (got []Frame, at []time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	start := time.Now()
	err = s.Stream(ctx, Mode{}, func(f Frame) { got, at = append(got, f), append(at, time.Since(start)) })
	return got, at, err
}

// flat is a picture that is as bright all over.
func flat(t testing.TB, level byte) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 32, 32))
	for i := range m.Pix {
		m.Pix[i] = level
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// half is the first half of a picture with an end put to it, as boards send it
// whose memory was too small.
func half(pic []byte) []byte { return append(slices.Clone(pic[:len(pic)/2]), 0xff, 0xd9) }

// huge is a picture whose header claims 30,000 x 30,000 pixels.
func huge(t testing.TB) []byte {
	b := flat(t, 9)
	at := bytes.Index(b, []byte{0xff, 0xc0})
	copy(b[at+5:], []byte{0x75, 0x30, 0x75, 0x30})
	return b
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestSieveDrops: what is broken is not passed on, and counted with the reason.
func TestSieveDrops(t *testing.T) {
	good := drawn(t, 1)
	for name, x := range map[string]struct {
		frame         Frame
		full, markers bool // passes
		why           string
	}{
		"whole":             {Frame{JPEG: good}, true, true, ""},
		"something behind":  {Frame{JPEG: append(slices.Clone(good), "xyz"...)}, true, true, ""},
		"much behind":       {Frame{JPEG: append(slices.Clone(good), make([]byte, 2*len(good))...)}, true, true, ""},
		"half with an end":  {Frame{JPEG: half(good)}, false, true, "got the end of the data"},
		"cut":               {Frame{JPEG: good[:len(good)-1]}, false, false, "truncated JPEG"},
		"no JPEG":           {Frame{JPEG: []byte("<html>")}, false, false, "not a JPEG"},
		"nothing":           {Frame{}, false, false, "truncated JPEG"},
		"claims to be huge": {Frame{JPEG: huge(t)}, false, false, "got 30000x30000 pixels, want a picture of 50 megapixels or less"},
		"found by source":   {Frame{bad: errors.New("lost \x1b[31mline")}, false, false, "lost line"},
	} {
		for check, passes := range map[string]bool{CheckFull: x.full, CheckMarkers: x.markers} {
			faketime.Run(t, func(t *testing.T) {
				s := newSieve(&film{every: time.Second, frame: func(int) Frame { return x.frame }}, Options{Check: check, Log: quiet()})
				got, _, err := show(t, s, 2500*time.Millisecond)
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

// TestSieveSaysSeldom: every second picture is broken, for three minutes.
func TestSieveSaysSeldom(t *testing.T) {
	pics := [][]byte{drawn(t, 1), half(drawn(t, 1))}
	faketime.Run(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newSieve(&film{every: 100 * time.Millisecond, frame: func(n int) Frame { return Frame{JPEG: pics[n%2]} }},
			Options{Check: CheckFull, Log: slog.New(slog.NewTextHandler(&log, nil))})
		for range 6 { // opening it anew must not begin the minute anew
			if _, _, err := show(t, s, 30*time.Second-50*time.Millisecond); err != nil {
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

// TestSieveHopeless: a stream of broken pictures only must not stay silent, at
// whatever rate it comes; one whole picture now and then keeps it up.
func TestSieveHopeless(t *testing.T) {
	good, bad := drawn(t, 1), half(drawn(t, 1))
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
			s := newSieve(&film{wait: time.Minute, every: x.every, frame: func(n int) Frame {
				if x.whole > 0 && n%x.whole == 0 {
					return Frame{JPEG: good}
				}
				return Frame{JPEG: bad}
			}}, Options{Check: CheckFull, Log: quiet()})
			start := time.Now()
			got, _, err := show(t, s, 10*time.Minute)
			took := time.Since(start) - time.Minute - x.every // the film looks at ctx between pictures
			switch {
			case x.after == 0:
				if err != nil || len(got) == 0 {
					t.Errorf("%s: %d pictures, %v", name, len(got), err)
				}
			case CodeOf(err) != Stalled || !strings.Contains(err.Error(), "sends broken pictures only: "+x.text) || took != x.after:
				t.Errorf("%s: %v (%s) after %v, want stalled after %v", name, err, CodeOf(err), took, x.after)
			case !errors.Is(err, jpeg.ErrDamaged) || !strings.HasSuffix(err.Error(), "set check: markers"):
				t.Errorf("%s: cause or cure is not in the error: %v, %v", name, err, errors.Unwrap(err))
			}
			if x.after > 0 {
				// The next attempt has its own time.
				if _, _, err := show(t, s, time.Minute+x.every); err != nil {
					t.Errorf("%s: opened again it fails at once: %v", name, err)
				}
			}
		})
	}
}

// TestSieveSettle gives a camera that begins black, gets brighter and then
// stays as it is.
func TestSieveSettle(t *testing.T) {
	levels := map[byte][]byte{}
	for level := range 256 {
		levels[byte(level)] = flat(t, byte(level))
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
		"not asked for":     {0, CheckMarkers, func(n int) []byte { return levels[rising(n)] }, false, 0},
		"rising":            {5 * time.Second, CheckMarkers, func(n int) []byte { return levels[rising(n)] }, false, 17},
		"rising, full":      {5 * time.Second, CheckFull, func(n int) []byte { return levels[rising(n)] }, false, 17},
		"cut short":         {time.Second, CheckMarkers, func(n int) []byte { return levels[rising(n)] }, false, 10},
		"restless":          {1500 * time.Millisecond, CheckMarkers, func(n int) []byte { return levels[restless(n)] }, false, 15},
		"dark room":         {1500 * time.Millisecond, CheckMarkers, func(int) []byte { return levels[3] }, false, 15},
		"steady":            {1500 * time.Millisecond, CheckMarkers, func(int) []byte { return levels[90] }, false, 3},
		"not to be judged":  {1500 * time.Millisecond, CheckMarkers, progressive, false, 15},
		"damaged, markers":  {1500 * time.Millisecond, CheckMarkers, func(int) []byte { return half(drawn(t, 1)) }, false, 15},
		"settled by itself": {5 * time.Second, CheckMarkers, func(n int) []byte { return levels[rising(n)] }, true, 0},
	} {
		faketime.Run(t, func(t *testing.T) {
			// The camera takes longer to begin than its pictures may take to settle.
			s := newSieve(&film{wait: 8 * time.Second, every: 100 * time.Millisecond, frame: func(n int) Frame {
				return Frame{JPEG: x.pic(n), settled: x.settled}
			}}, Options{Check: x.check, Settle: x.settle, Log: quiet()})
			for range 2 { // each Stream settles anew
				got, at, err := show(t, s, 12*time.Second-50*time.Millisecond)
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

// TestSieveOptions holds the usual check and settling time of each kind of
// source to what the documentation says.
func TestSieveOptions(t *testing.T) {
	for source, want := range map[string]struct {
		o      Options
		deep   bool
		settle time.Duration
	}{
		"test:":                {Options{}, false, 0},
		"dir:/x":               {Options{}, false, 0},
		"exec:x":               {Options{}, false, 0},
		"http://x/":            {Options{}, false, 0},
		"https://x/":           {Options{Check: CheckFull}, true, 0},
		"HTTP://x/":            {Options{Check: CheckMarkers, Settle: time.Second}, false, time.Second},
		"test:64x64":           {Options{Check: CheckFull}, true, 0},
		"v4l2:":                {Options{}, false, 1500 * time.Millisecond},
		"v4l2:/dev/video0":     {Options{Settle: 3 * time.Second}, false, 3 * time.Second},
		"v4l2:/dev/video1":     {Options{Settle: -1}, false, 0},
		"v4l2:?settle=2s":      {Options{Settle: 3 * time.Second}, false, 2 * time.Second},
		"v4l2:?settle=0":       {Options{Check: CheckFull}, true, 0},
		"v4l2:usb-A?settle=2s": {Options{Settle: -1}, false, 2 * time.Second},
	} {
		s := open(t, source, want.o).(*sieve)
		if s.deep != want.deep || s.settle != want.settle {
			t.Errorf("%s with %q and %v: full %v, settles for %v; want %v, %v", source, want.o.Check, want.o.Settle, s.deep, s.settle, want.deep, want.settle)
		}
	}
	for text, o := range map[string]Options{
		`check "deep": want auto, full or markers`: {Check: "deep"},
		`settle 11s: want up to 10s`:               {Settle: 11 * time.Second},
	} {
		if _, err := Open("test:", o); CodeOf(err) != Config || err.Error() != text {
			t.Errorf("Open = %v, want %s", err, text)
		}
	}
	if usualSettle("rpicam") != settleTime || usualCheck("push") != CheckFull || usualCheck("rpicam") != CheckMarkers || usualSettle("push") != 0 {
		t.Error("rpicam settles and push is looked at closely")
	}
}

// TestHTTPStreamOfBoards is a board that sends whole pictures, halves with an
// end put to them and pieces, each with its length.
func TestHTTPStreamOfBoards(t *testing.T) {
	whole := [][]byte{drawn(t, 1), drawn(t, 2), drawn(t, 3)}
	parts := [][]byte{whole[0], half(whole[0]), whole[1], whole[0][:len(whole[0])/3], huge(t), whole[2]}
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace;boundary="+boundaryOfBoards)
		for _, p := range parts {
			fmt.Fprintf(w, "--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(p), p)
		}
	})
	for check, want := range map[string][][]byte{CheckAuto: whole, CheckMarkers: {whole[0], parts[1], whole[1], whole[2]}} {
		s := open(t, srv.URL+"/stream#discard=0", Options{Check: check})
		var got [][]byte
		_ = s.Stream(t.Context(), Mode{}, func(f Frame) { got = append(got, f.JPEG) }) // ends with the answer
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: got %d pictures, want the %d whole ones", check, len(got), len(want))
		}
		if n, why := s.(*sieve).Broken(); n != uint64(len(parts)-len(want)) {
			t.Errorf("%s: %d dropped (%s), want %d", check, n, why, len(parts)-len(want))
		}
	}
}

// boundaryOfBoards is in the streams of most firmwares of ESP32 boards.
const boundaryOfBoards = "123456789000000000000987654321"

// TestHTTPCheck looks at all data of pictures from boards, and of single pictures.
func TestHTTPCheck(t *testing.T) {
	s, err := openURL("http://x/stream", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.tears(Mode{FPS: 10}) || !s.tears(Mode{Still: true}) || !s.tears(Mode{FPS: 1}) {
		t.Error("a camera that is not known is looked at closely only for single pictures")
	}
	s.know(func(f *facts) { f.kind = board.Easytarget })
	if !s.tears(Mode{FPS: 10}) {
		t.Error("a board is not looked at closely")
	}
}

// TestExecBroken: what is cut off in a program's output is counted.
func TestExecBroken(t *testing.T) {
	need(t, "cat")
	good := drawn(t, 1)
	path := filepath.Join(t.TempDir(), "stream")
	write(t, path, slices.Concat(good, good[:len(good)/2], good, huge(t), good, good[:len(good)-9]))
	s := open(t, "exec:cat "+path, Options{})
	if _, got := fails(t, s, Mode{}); len(got) != 3 {
		t.Errorf("got %d pictures, want the 3 whole ones", len(got))
	}
	if n, why := s.(*sieve).Broken(); n != 3 || !strings.Contains(why, "cut off") {
		t.Errorf("%d dropped (%s), want 3", n, why)
	}
}
