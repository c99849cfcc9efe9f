package camera

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/redact"
	"camqtt/node/camera/board"
)

// visit is one Stream of an httpSource.
type visit struct {
	*httpSource
	client *http.Client
	emit   func(Frame)
	began  time.Time
	at     string // the address asked last
}

// answer is that to one request.
type answer struct {
	*http.Response
	cancel context.CancelFunc // ends the request
	asked  time.Time          // when it was sent
	came   time.Time          // when its head was in
}

func (a *answer) close() {
	a.cancel()
	a.Body.Close()
}

// run delivers pictures until ctx is done or the camera fails.
func (v *visit) run(ctx context.Context, m Mode) error {
	first, err := v.find(ctx)
	if err != nil {
		return err
	}
	if err := v.obey(ctx, m); err != nil {
		if first != nil {
			first.close()
		}
		return err
	}
	if f := v.facts(); f.answer == boardAnswer {
		return v.board(ctx, m, f)
	}
	if first == nil {
		if first, err = v.get(ctx, v.url.String()); err != nil {
			return err
		}
	}
	if isMotion(first.Response) {
		v.know(func(f *facts) { f.answer = streamAnswer })
		v.learn(ctx, first)
		return v.stream(ctx, first)
	}
	v.know(func(f *facts) { f.answer = snapshotAnswer })
	return v.poll(ctx, m, &poller{visit: v, addr: v.url.String(), first: first})
}

// board delivers the pictures of a board that has both kinds.
func (v *visit) board(ctx context.Context, m Mode, f facts) error {
	p := &poller{visit: v, addr: f.places.Capture}
	if f.places.Stream == "" || m.Still || m.FPS > 0 && m.FPS <= slowest {
		return v.poll(ctx, m, p)
	}
	if f.kind == board.CameraWebServer && v.option.discard < 0 && !f.clock.Trusted(time.Now()) {
		// Its clock tells old pictures from new ones, and single pictures tell its
		// clock. That the stream gives something is more than that they do.
		if err := p.tick(ctx); err != nil && ctx.Err() == nil {
			v.log.Debug("camera gives no single picture", "err", err)
		}
	}
	res, err := v.get(ctx, f.places.Stream)
	if err == nil && !isMotion(res.Response) {
		err = v.wrongKind(res)
		res.close()
	}
	if err == nil {
		v.know(func(f *facts) { f.stream = true })
		return v.stream(ctx, res)
	}
	if ctx.Err() != nil || CodeOf(err) == Config {
		return err
	}
	why := "its stream cannot be had"
	if CodeOf(err) == CameraBusy {
		why = "its one stream is already in use by somebody else"
	}
	v.warn(why + ": pictures are asked for one by one")
	v.log.Warn("camera stream not to be had, asking for single pictures", "err", err)
	m.FPS = min(cmp.Or(m.FPS, instead), instead)
	return v.poll(ctx, m, p)
}

// warn is what people should know while it delivers.
func (v *visit) warn(text string) { v.know(func(f *facts) { f.warn = text }) }

// get sends a request and returns an answer that has pictures in it.
func (v *visit) get(ctx context.Context, addr string) (*answer, error) {
	a, err := v.ask(ctx, addr)
	if err != nil {
		return nil, err
	}
	if err := v.refusal(a.Response); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// ask sends a request. Whoever gets the answer closes it.
func (v *visit) ask(ctx context.Context, addr string) (*answer, error) {
	return v.askAgain(ctx, addr, "")
}

// askAgain asks for what may be the same as before: tag is the ETag that it had.
func (v *visit) askAgain(ctx context.Context, addr, tag string) (*answer, error) {
	v.at = addr
	ctx, cancel := context.WithCancel(ctx)
	a := &answer{cancel: cancel, asked: time.Now()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, addr, nil)
	if err != nil {
		cancel()
		return nil, configError("source %s: %s", v.name(), v.redact.line(err.Error()))
	}
	req.Header.Set("Accept", "multipart/x-mixed-replace, image/jpeg, */*;q=0.1")
	req.Header.Set("User-Agent", "camqtt")
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	if a.Response, err = v.client.Do(req); err != nil {
		cancel()
		return nil, v.requestError(err)
	}
	a.came = time.Now()
	return a, nil
}

// name is the address as it may be shown.
func (v *visit) name() string { return clean(redact.Address(v.at)) }

// stream emits the pictures of an endless answer.
func (v *visit) stream(ctx context.Context, res *answer) error {
	defer res.close()
	split := jpeg.NewSplitter(res.Body, jpeg.SplitterOptions{Max: v.max})
	lost := cuts{split: split}
	skip := v.stale()
	var times arrived
	for n := 0; ; n++ {
		pic, err := split.Next()
		if ctx.Err() != nil {
			return nil
		}
		lost.tell(v.emit)
		if err == nil {
			at := v.streamed(split, &times)
			if n >= skip && at.After(v.began.Add(-oldest)) {
				v.emit(Frame{JPEG: pic, At: at})
			}
			continue
		}
		text := fmt.Sprintf("camera %s ended its stream after %s", v.name(), pictures(n))
		if err != io.EOF {
			text += ": " + v.redact.line(err.Error())
		}
		if n == 0 && split.Skipped() > 0 {
			text += fmt.Sprintf("; it sent %d bytes, but no whole JPEG", split.Skipped())
		}
		return &Error{Code: NoCamera, Text: text, Err: err}
	}
}

// oldest is how long before the stream was opened its first picture may be of.
const oldest = 2 * time.Second

// stale is how many pictures at the begin of a stream have waited in the board
// since nobody knows when.
func (v *visit) stale() int {
	if v.option.discard >= 0 {
		return v.option.discard
	}
	f := v.facts()
	if !v.bare || f.clock.Trusted(v.began) { // its stamps tell
		return 0
	}
	return board.Of(f.kind).Depth
}

// arrived is when the last pictures of a stream began to arrive, newest last.
type arrived []time.Time

// streamed is a time before which the picture was not taken: when it began to
// arrive, or, from a board in which n pictures wait, when the n-th before it did,
// whose buffer it was taken into; and not after what its stamp says, once the
// board's clock is known.
func (v *visit) streamed(split *jpeg.Splitter, times *arrived) time.Time {
	at := split.First()
	if v.option.discard >= 0 {
		return at
	}
	by, depth := at, 0
	stamp, stamped := board.ParseStamp(split.Stamp())
	v.know(func(f *facts) {
		switch {
		case !stamped:
			depth = board.Of(f.kind).Depth
		case f.depth > 0:
			depth = f.depth
		case v.bare:
			depth = board.MaxDepth
		}
		if !stamped {
			return
		}
		f.clock.See(stamp, at)
		if f.clock.Trusted(at) {
			by = f.clock.At(stamp, at)
		}
	})
	*times = append(*times, at)
	if n := len(*times) - 1 - depth; n >= 0 {
		at = (*times)[n]
		*times = (*times)[n:]
	}
	if by.Before(at) {
		return by
	}
	return at
}

// wrongKind says that an address has changed what it gives.
func (v *visit) wrongKind(a *answer) *Error {
	return &Error{Code: NoCamera, Text: fmt.Sprintf("camera %s gives %s now, which it did not before", v.name(), v.redact.line(cmp.Or(mediaType(a.Response), "something without Content-Type")))}
}

func mediaType(res *http.Response) string {
	header := res.Header.Get("Content-Type")
	t, _, err := mime.ParseMediaType(header)
	if err != nil { // cameras write odd parameters: the type alone will do
		t, _, _ = strings.Cut(header, ";")
		t = strings.ToLower(strings.TrimSpace(t))
	}
	return t
}

// isMotion says whether an answer is pictures without end.
func isMotion(res *http.Response) bool {
	switch t := mediaType(res); t {
	case "video/x-motion-jpeg", "video/x-mjpeg", "video/mjpeg", "video/x-jpeg", "image/mjpeg", "image/x-motion-jpeg":
		return true
	default:
		return strings.HasPrefix(t, "multipart/")
	}
}
