// Package mjpeg reads JPEG pictures out of a stream of bytes and counts what came.
package mjpeg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/node/camera"
)

const (
	// mostJunk is how many bytes without a whole picture are read before a source is
	// given up.
	mostJunk = 16 << 20
	// fastest is how many pictures are read in a second: more than can be asked for.
	// What sends more is read more slowly, and never costs a core.
	fastest = 150
)

// ErrJunk is why a source is given up that sends much and no picture.
var ErrJunk = errors.New("too much without a whole picture")

// Reader takes pictures out of what a camera or a program sends. It is for
// one goroutine.
type Reader struct {
	*jpeg.Splitter
	got  *Received
	lost cuts
	junk *junkLimit

	begun time.Time // of the second in which pictures are counted
	count int       // pictures since
}

// NewReader returns a Reader of pictures of at most that many bytes.
func NewReader(r io.Reader, most int, got *Received) *Reader {
	junk := &junkLimit{r: r, most: max(mostJunk, 4*int64(most))}
	split := jpeg.NewSplitter(junk, jpeg.SplitterOptions{Max: most})
	return &Reader{Splitter: split, got: got, lost: cuts{split: split}, junk: junk}
}

// ReadPicture returns the next picture and tells of those that were broken. Once ctx is
// done it reads on without bounds, and tells nothing.
func (p *Reader) ReadPicture(ctx context.Context, emit func(camera.Frame)) ([]byte, error) {
	p.pace(ctx)
	pic, err := p.Next()
	p.junk.begin(ctx.Err() != nil)
	if ctx.Err() == nil {
		p.lost.tell(emit)
	}
	return pic, err
}

// pace waits while more pictures come than are read in a second.
func (p *Reader) pace(ctx context.Context) {
	now := time.Now()
	if now.Sub(p.begun) >= time.Second {
		p.begun, p.count = now, 0
	}
	if p.count++; p.count > fastest {
		camera.Sleep(ctx, time.Second-now.Sub(p.begun))
	}
}

// Broken says what came besides n pictures, for an error.
func (p *Reader) Broken(n int, line func(string) string) string {
	if n > 0 || p.got.Bytes() == 0 {
		return ""
	}
	text := p.got.Describe(line) + ", but no whole JPEG"
	if d := p.Dropped(); d > 0 {
		text += fmt.Sprintf("; %s began in it and %s", camera.PictureCount(int(d)), errCut)
	}
	return text
}

// junkLimit is a reader that fails when much has been read since a picture.
type junkLimit struct {
	r    io.Reader
	n    int64
	most int64
	off  bool
}

func (j *junkLimit) begin(off bool) { j.n, j.off = 0, off }

func (j *junkLimit) Read(b []byte) (int, error) {
	if j.n > j.most && !j.off {
		return 0, ErrJunk
	}
	n, err := j.r.Read(b)
	j.n += int64(n)
	return n, err
}

// cuts tells of the pictures that a splitter has dropped.
type cuts struct {
	split *jpeg.Splitter
	told  int64
}

// tell emits word of those that were dropped since it was last called.
func (c *cuts) tell(emit func(camera.Frame)) {
	for ; c.told < c.split.Dropped(); c.told++ {
		emit(camera.Frame{Damage: errCut})
	}
}

// errCut is why a splitter drops a picture.
var errCut = errors.New("the picture is cut off, malformed or larger than allowed")
