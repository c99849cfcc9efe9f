package jpeg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"camqtt/internal/testkit/faketime"
)

func splitAll(t testing.TB, r io.Reader, o SplitterOptions) ([][]byte, *Splitter, error) {
	t.Helper()
	s := NewSplitter(r, o)
	var pics [][]byte
	for {
		p, err := s.Next()
		if err != nil {
			return pics, s, err
		}
		pics = append(pics, p)
	}
}

func part(header string, body []byte) []byte {
	return append([]byte("\r\n--B\r\n"+header+"\r\n\r\n"), body...)
}

func measured(body []byte) []byte {
	return part(fmt.Sprintf("Content-Type: image/jpeg\r\nContent-Length: %d", len(body)), body)
}

func lied(n int, body []byte) []byte {
	return part(fmt.Sprintf("Content-Type: image/jpeg\r\nContent-Length: %d", n), body)
}

// Each stream is read whole, by halves and byte by byte; the pictures and the
// number dropped must be the same.
func TestSplitter(t *testing.T) {
	a, b, c := encode(t, 64, 48, 1), withThumbnail(t, encode(t, 48, 32, 2)), without(t, encode(t, 32, 32, 3), mDHT)
	big := encode(t, 640, 480, 4)
	cat := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	text := func(s string) []byte { return []byte(s) }
	ffmpeg := func(p []byte) []byte {
		return text(fmt.Sprintf("Content-type: image/jpeg\r\nContent-length: %d\r\n\r\n%s\r\n--ffmpeg\r\n", len(p), p))
	}
	tests := map[string]struct {
		stream  []byte
		want    [][]byte
		dropped int64
		end     error
	}{
		"bare":                      {cat(a, b, c, big), [][]byte{a, b, c, big}, 0, io.EOF},
		"progressive":               {cat(progressive(), a), [][]byte{progressive(), a}, 0, io.EOF},
		"rubbish before":            {cat(text("HTTP/1.1 200 OK\r\n\xff\xd8\x00junk\xff"), a), [][]byte{a}, 0, io.EOF},
		"rubbish between":           {cat(a, text("\x00\x00\xff\xff\xd8\xd8\xff\xff"), b), [][]byte{a, b}, 0, io.EOF},
		"joined in the middle":      {cat(a[500:], b, c), [][]byte{b, c}, 0, io.EOF},
		"truncated in the data":     {cat(a[:len(a)-50], b), [][]byte{b}, 1, io.EOF},
		"truncated in the headers":  {cat(a[:100], b, c), [][]byte{b, c}, 0, io.EOF},
		"false start hides one":     {cat(text("\xff\xd8\xff\xe0\x01\x00"), a, b), [][]byte{a, b}, 0, io.EOF},
		"false start, then the end": {cat(text("\xff\xd8\xff\xe0\xff\xff"), a), [][]byte{a}, 0, io.EOF},
		"ends inside":               {cat(a, b[:len(b)-1]), [][]byte{a}, 1, io.ErrUnexpectedEOF},
		"empty":                     {nil, nil, 0, io.EOF},
		"no picture":                {text(strings.Repeat("no picture here \xff\xd8 \xff ", 1000)), nil, 0, io.EOF},

		"parts":                   {cat(measured(a), measured(b), measured(c), text("\r\n--B--\r\n")), [][]byte{a, b, c}, 0, io.EOF},
		"parts of ffmpeg":         {cat(text("--ffmpeg\r\n"), ffmpeg(a), ffmpeg(b)), [][]byte{a, b}, 0, io.EOF},
		"parts without length":    {cat(part("Content-Type: image/jpeg", a), part("X: y", b)), [][]byte{a, b}, 0, io.EOF},
		"line feeds only":         {cat(text("--B\nContent-Length:"+fmt.Sprint(len(a))+"\n\n"), a, text("\n--B\n\n"), b), [][]byte{a, b}, 0, io.EOF},
		"no boundary at all":      {cat(text(fmt.Sprintf("content-length: %d\r\n\r\n", len(a))), a, b), [][]byte{a, b}, 0, io.EOF},
		"text parts":              {cat(part("Content-Type: text/plain", text("No frames send.")), part("Content-Type: text/plain\r\nContent-Length: 9", text("--B\r\n\r\n\xff\xd8")), measured(a)), [][]byte{a}, 0, io.EOF},
		"a picture in a text":     {cat(part("Content-Type: text/html\r\nContent-Length: "+fmt.Sprint(len(a)), a), measured(b)), [][]byte{a, b}, 0, io.EOF},
		"padding":                 {cat(measured(cat(a, make([]byte, 300))), measured(cat(b, text("\r\n"))), measured(c)), [][]byte{a, b, c}, 0, io.EOF},
		"length of no sense":      {cat(part("Content-Length: -5", a), part("Content-Length: 99999999999999999999", b), part("Content-Length: x", c)), [][]byte{a, b, c}, 0, io.EOF},
		"half a picture":          {cat(measured(a), measured(b[:len(b)/2+300]), measured(c), measured(a)), [][]byte{a, c, a}, 1, io.EOF},
		"half pictures":           {cat(measured(b[:len(b)-70]), measured(b[:len(b)-60]), measured(b[:len(b)-50]), measured(c), measured(a)), [][]byte{c, a}, 3, io.EOF},
		"length too short":        {cat(lied(len(a)-3, a), measured(b)), [][]byte{a, b}, 0, io.EOF},
		"length too long":         {cat(lied(len(a)+3, a), measured(b)), [][]byte{a, b}, 0, io.EOF},
		"length far too long":     {cat(lied(len(a)+5000, a), measured(b), measured(c)), [][]byte{a, b, c}, 0, io.EOF},
		"always too long":         {cat(lied(len(a)+20, a), lied(len(b)+20, b), lied(len(c)+20, c)), [][]byte{a, b, c}, 0, io.EOF},
		"always too short":        {cat(lied(len(a)-20, a), lied(len(b)-20, b), lied(len(c)-20, c)), [][]byte{a, b, c}, 0, io.EOF},
		"last part too short":     {cat(measured(a), lied(len(b)+9, b)), [][]byte{a, b}, 0, io.EOF},
		"a second in the part":    {cat(measured(cat(a, c)), measured(cat(b, text("\x00\x00"), c)), measured(a)), [][]byte{a, b, a}, 0, io.EOF},
		"half a second":           {cat(measured(cat(a, c[:200])), measured(b)), [][]byte{a, b}, 0, io.EOF},
		"two of one":              {cat(multi(a, 2), c, multi(b, 3), c, c, a), [][]byte{multi(a, 2), multi(b, 3), a}, 0, io.EOF},
		"two of one, in parts":    {cat(part("X: y", cat(multi(a, 2), c)), part("X: y", multi(b, 2)), part("X: y", a)), [][]byte{multi(a, 2), multi(b, 2), a}, 0, io.EOF},
		"length about no picture": {cat(lied(5, text("hello")), measured(a)), [][]byte{a}, 0, io.EOF},
	}
	for name, tt := range tests {
		for way, r := range map[string]io.Reader{
			"whole": bytes.NewReader(tt.stream), "halves": iotest.HalfReader(bytes.NewReader(tt.stream)),
			"bytes": iotest.OneByteReader(bytes.NewReader(tt.stream)), "error with data": iotest.DataErrReader(bytes.NewReader(tt.stream)),
		} {
			t.Run(name+"/"+way, func(t *testing.T) {
				got, s, err := splitAll(t, r, SplitterOptions{})
				if err != tt.end {
					t.Errorf("ended with %v, want %v", err, tt.end)
				}
				if !slices.EqualFunc(got, tt.want, bytes.Equal) {
					t.Errorf("got pictures of %v bytes, want %v", lengths(got), lengths(tt.want))
				}
				if s.Dropped() != tt.dropped {
					t.Errorf("dropped %d, want %d", s.Dropped(), tt.dropped)
				}
				sum := s.Skipped()
				for _, p := range got {
					sum += int64(len(p))
				}
				if sum != int64(len(tt.stream)) {
					t.Errorf("pictures and skipped bytes make %d, want %d", sum, len(tt.stream))
				}
			})
		}
	}
}

// multi is b with the index of a file of n pictures.
func multi(b []byte, n byte) []byte {
	return with(b, mAPP2, []byte("MPF\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\xb0\x01\x00\x04\x00\x00\x00\x01\x00\x00\x00"+string(rune(n))+"\x00\x00\x00\x00"))
}

func lengths(pics [][]byte) (n []int) {
	for _, p := range pics {
		n = append(n, len(p))
	}
	return n
}

func TestSplitterTooLarge(t *testing.T) {
	small, large := encode(t, 32, 32, 1), encode(t, 640, 480, 2)
	for name, stream := range map[string][]byte{
		"bare":    bytes.Join([][]byte{small, large, small}, nil),
		"claimed": bytes.Join([][]byte{measured(small), measured(large), measured(small)}, nil),
	} {
		got, s, err := splitAll(t, iotest.OneByteReader(bytes.NewReader(stream)), SplitterOptions{Max: 4000})
		if err != io.EOF || !slices.EqualFunc(got, [][]byte{small, small}, bytes.Equal) {
			t.Errorf("%s: got pictures of %v bytes and %v, want the two small ones and EOF", name, lengths(got), err)
		}
		if s.Dropped() != 1 {
			t.Errorf("%s: dropped %d, want 1", name, s.Dropped())
		}
	}
}

// A stream that never holds a picture must not grow memory, whatever it looks like.
func TestSplitterBounded(t *testing.T) {
	const many = 4 << 20
	head := string(encode(t, 16, 16, 1)[:300])
	for name, pattern := range map[string]string{
		"zeros":         "\x00",
		"one long line": "x",
		"lines":         "Content-Length: 12\r\nfoo\r\n\r\n",
		"starts":        "\xff\xd8\xff",
		"APP1 and APP1": "\xff\xd8\xff\xe1\xff\xff\xff\xd8\xff\xe1\x00\x02",
		"headers":       head,
		"huge parts":    "--B\r\nContent-Length: 8000000\r\n\r\n\xff\xd8\xff\xe1\x00\x02",
	} {
		s := NewSplitter(io.LimitReader(&loop{b: []byte(pattern)}, many), SplitterOptions{Max: 100_000})
		pic, err := s.Next()
		if err != io.EOF && err != io.ErrUnexpectedEOF {
			t.Errorf("%s: got %d bytes and %v, want no picture", name, len(pic), err)
		}
		if len(s.buf) > 100_000+splitStart {
			t.Errorf("%s: the buffer grew to %d bytes", name, len(s.buf))
		}
	}
}

// Picture data without end, after good headers, is given up at the limit.
func TestSplitterEndlessPicture(t *testing.T) {
	pic := encode(t, 16, 16, 1)
	r := io.MultiReader(bytes.NewReader(pic[:len(pic)-2]), io.LimitReader(&loop{b: []byte{0x55}}, 1<<20), bytes.NewReader(pic))
	got, s, err := splitAll(t, r, SplitterOptions{Max: 50_000})
	if err != io.EOF || len(got) != 1 || !bytes.Equal(got[0], pic) || s.Dropped() != 1 {
		t.Errorf("got %d pictures, %d dropped, %v; want 1, 1 and EOF", len(got), s.Dropped(), err)
	}
}

type loop struct {
	b []byte
	i int
}

func (l *loop) Read(p []byte) (int, error) {
	for n := range p {
		p[n] = l.b[l.i]
		l.i = (l.i + 1) % len(l.b)
	}
	return len(p), nil
}

// The caller may keep a picture: later reads must not change it.
func TestSplitterOwnsNothing(t *testing.T) {
	a, b := encode(t, 64, 48, 1), encode(t, 64, 48, 2)
	s := NewSplitter(bytes.NewReader(append(slices.Clone(a), b...)), SplitterOptions{})
	first, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, a) {
		t.Error("the first picture changed when the second was read")
	}
}

// The picture comes with its last byte, not with the boundary or picture behind
// it, and First is when its first byte was read.
func TestSplitterPrompt(t *testing.T) {
	pic := encode(t, 64, 48, 1)
	for name, framed := range map[string][]byte{"bare": pic, "no length": part("X: y", pic), "length": measured(pic)} {
		t.Run(name, func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				r, w := io.Pipe()
				start := time.Now()
				go func() { // ends when all is written and the pipe closed
					for range 3 {
						at := len(framed) - len(pic)/2
						_, _ = w.Write(framed[:at])
						time.Sleep(40 * time.Millisecond)
						_, _ = w.Write(framed[at:])
						time.Sleep(60 * time.Millisecond)
					}
					w.Close()
				}()
				s := NewSplitter(r, SplitterOptions{})
				for i := range 3 {
					if _, err := s.Next(); err != nil {
						t.Fatal(err)
					}
					due := time.Duration(i) * 100 * time.Millisecond
					if got := time.Since(start); got != due+40*time.Millisecond {
						t.Errorf("picture %d came after %v, want %v", i, got, due+40*time.Millisecond)
					}
					if got := s.First().Sub(start); got != due {
						t.Errorf("First of picture %d is %v, want %v", i, got, due)
					}
				}
				if _, err := s.Next(); err != io.EOF {
					t.Errorf("ended with %v, want EOF", err)
				}
			})
		})
	}
}

// However many reads a picture takes, First is never later than its first byte.
func TestSplitterFirstOfManyReads(t *testing.T) {
	pic := encode(t, 64, 48, 1)
	faketime.Run(t, func(t *testing.T) {
		start := time.Now()
		slow := readFunc(func(p []byte) (int, error) {
			time.Sleep(time.Millisecond)
			n := int(time.Since(start)/time.Millisecond) - 1
			p[0] = pic[n%len(pic)]
			return 1, nil
		})
		s := NewSplitter(slow, SplitterOptions{})
		for i := range 3 {
			if _, err := s.Next(); err != nil {
				t.Fatal(err)
			}
			want := time.Duration(i*len(pic)+1) * time.Millisecond
			if got := s.First().Sub(start); got > want || got < want-time.Millisecond {
				t.Errorf("First of picture %d is %v, want %v", i, got, want)
			}
		}
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestSplitterErrors(t *testing.T) {
	pic := encode(t, 32, 32, 1)
	broken := errors.New("broken")
	s := NewSplitter(io.MultiReader(bytes.NewReader(pic), bytes.NewReader(pic[:50]), iotest.ErrReader(broken)), SplitterOptions{})
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(); err != broken {
		t.Errorf("got %v, want the reader's own error", err)
	}
	s = NewSplitter(readFunc(func([]byte) (int, error) { return 0, nil }), SplitterOptions{})
	if _, err := s.Next(); err != io.ErrNoProgress {
		t.Errorf("reader that reads nothing: got %v, want io.ErrNoProgress", err)
	}
}

// One allocation for each picture handed out, none for what lies between.
func TestSplitterAllocations(t *testing.T) {
	s := NewSplitter(&loop{b: append(measured(encode(t, 160, 120, 1)), "\xff\xd8\xff\x00rubbish"...)}, SplitterOptions{})
	next := func() {
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
	}
	next()
	if n := testing.AllocsPerRun(100, next); n != 1 {
		t.Errorf("Next allocates %v times, want 1", n)
	}
}

// A stamp belongs to the picture of its own part, and to no other.
func TestSplitterStamp(t *testing.T) {
	a := encode(t, 32, 32, 1)
	stamped := func(stamp string) []byte {
		return part(fmt.Sprintf("Content-Type: image/jpeg\r\nx-timestamp:%s\r\nContent-Length: %d", stamp, len(a)), a)
	}
	stream := slices.Concat(stamped("1.5"), measured(a), a, stamped(" 3.25 "), stamped(strings.Repeat("9", 25)), part("X-Timestamp: 7.0", a))
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream))} {
		s := NewSplitter(r, SplitterOptions{})
		for i, want := range []string{"1.5", "", "", "3.25", "", "7.0"} {
			if _, err := s.Next(); err != nil || s.Stamp() != want {
				t.Errorf("%s: picture %d has stamp %q, want %q; %v", name, i, s.Stamp(), want, err)
			}
		}
	}
}

func FuzzSplitter(f *testing.F) {
	a, b := encode(f, 16, 16, 1), without(f, encode(f, 16, 16, 2), mDHT)
	f.Add(slices.Concat(a, b), uint8(7))
	f.Add(slices.Concat(measured(a), part("", b), lied(9, a), lied(5000, b), measured(a)), uint8(1))
	f.Add(slices.Concat(part("Content-Type: text/plain\r\nContent-Length: 4", []byte("abcd")), measured(progressive())), uint8(3))
	f.Add(slices.Concat(part("X-Timestamp: 12.345678\r\nContent-Length: 9", a), part("x-timestamp:"+strings.Repeat("1", 40), b)), uint8(5))
	f.Add(slices.Concat([]byte("\xff\xd8\xff\xe0\x10\x00\xff\xd8\xff"), a[:200], b), uint8(200))
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8) {
		whole, s, err := splitAll(t, bytes.NewReader(data), SplitterOptions{})
		if err != io.EOF && err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
		total := s.Skipped()
		for _, p := range whole {
			total += int64(len(p))
			if in, err := Scan(p); err != nil || in.Len != len(p) {
				t.Fatalf("a picture of %d bytes was handed out: %+v, %v", len(p), in, err)
			}
		}
		if total != int64(len(data)) {
			t.Fatalf("pictures and skipped bytes make %d of %d", total, len(data))
		}
		step := readFunc(func() func(p []byte) (int, error) {
			r := bytes.NewReader(data)
			return func(p []byte) (int, error) { return r.Read(p[:min(len(p), int(chunk)+1)]) }
		}())
		parts, _, _ := splitAll(t, step, SplitterOptions{})
		if !slices.EqualFunc(whole, parts, bytes.Equal) {
			t.Fatalf("read by %d bytes: pictures of %v bytes, read whole: %v", int(chunk)+1, lengths(parts), lengths(whole))
		}
		tight, s, _ := splitAll(t, bytes.NewReader(data), SplitterOptions{Max: 300})
		for _, p := range tight {
			if len(p) > 300 {
				t.Fatalf("got %d bytes, want at most 300", len(p))
			}
		}
		if len(s.buf) > 300+splitStart {
			t.Fatalf("the buffer grew to %d bytes", len(s.buf))
		}
	})
}
