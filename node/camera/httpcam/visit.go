package httpcam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
	"camqtt/node/camera/mjpeg"
)

// visit is one Stream of an httpSource.
type visit struct {
	*httpSource
	client *http.Client
	emit   func(camera.Frame)
	began  time.Time
	at     string // the address asked last
}

// run delivers pictures until ctx is done or the camera fails.
func (v *visit) run(ctx context.Context, m camera.Mode) error {
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
	if first.is == pictureStream {
		return v.streams(ctx, m, first)
	}
	v.know(func(f *facts) { f.answer = snapshotAnswer })
	return v.poll(ctx, m, &poller{visit: v, addr: v.url.String(), first: first})
}

// streams delivers the pictures of an address that gives many in one answer. Where
// it gives one and ends, as some cameras label a single picture, it is asked again
// at the mode's rate.
func (v *visit) streams(ctx context.Context, m camera.Mode, a *answer) error {
	if v.facts().answer != snapshotAnswer {
		v.know(func(f *facts) { f.answer = streamAnswer })
	}
	v.learn(ctx, a)
	every := max(pollInterval(m), stillEvery)
	return camera.Every(ctx, every, func() (err error) {
		if a == nil {
			if a, err = v.get(ctx, v.url.String()); err != nil {
				return err
			}
			if a.is != pictureStream {
				a.close()
				return v.changed(a)
			}
		}
		n, err := v.stream(ctx, a)
		a = nil
		if n != 1 || !errors.Is(err, io.EOF) {
			return err
		}
		v.know(func(f *facts) { f.answer = snapshotAnswer })
		return nil
	})
}

// board delivers the pictures of a board that has both kinds.
func (v *visit) board(ctx context.Context, m camera.Mode, f facts) error {
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
	if err == nil && res.is != pictureStream {
		res.close()
		err = v.changed(res)
	}
	if err == nil {
		v.know(func(f *facts) { f.stream = true })
		_, err = v.stream(ctx, res)
		return err
	}
	if ctx.Err() != nil || camera.CodeOf(err) == camera.Config {
		return err
	}
	why := map[camera.Code]string{camera.CameraBusy: "its stream is in use", camera.Stalled: "its stream does not answer"}[camera.CodeOf(err)]
	v.warn(cmp.Or(why, "its stream cannot be had") + ": pictures are asked for one by one")
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
	if err := v.refusal(a); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// query is a request.
type query struct {
	addr string
	tag  string        // the ETag of the picture that came last; "" none
	wait time.Duration // for the head of the answer; 0 is the source's time
}

// ask sends a request. Whoever gets the answer closes it.
func (v *visit) ask(ctx context.Context, addr string) (*answer, error) {
	return v.send(ctx, query{addr: addr})
}

func (v *visit) send(ctx context.Context, q query) (*answer, error) {
	v.at = q.addr
	ctx, cancel := context.WithCancel(ctx)
	wait := cmp.Or(q.wait, v.patience(q.addr))
	timer := newAnswerTimer(wait, cancel)
	req, err := http.NewRequestWithContext(timer.trace(ctx), http.MethodGet, q.addr, nil)
	if err != nil {
		cancel()
		return nil, camera.ConfigError("source %s: %s", v.name(), v.redact.Line(err.Error()))
	}
	req.Header.Set("Accept", "multipart/x-mixed-replace, image/jpeg, */*;q=0.1")
	req.Header.Set("User-Agent", "camqtt")
	if q.tag != "" {
		req.Header.Set("If-None-Match", q.tag)
	}
	a := &answer{cancel: cancel, asked: time.Now()}
	a.Response, err = v.client.Do(req)
	late := timer.stop()
	if err != nil {
		cancel()
		if late {
			return nil, v.unanswered(wait)
		}
		return nil, v.requestError(err)
	}
	v.reached.Store(true)
	a.came = time.Now()
	a.open()
	return a, nil
}

// patience is how long the answer of an address is waited for.
func (v *visit) patience(addr string) time.Duration {
	f := v.facts()
	if v.option.timeout == 0 && f.answer == boardAnswer && addr == f.places.Stream {
		return boardTimeout
	}
	return v.timeout()
}

// bodyPatience is how long the first byte of a body is waited for.
func (v *visit) bodyPatience() time.Duration {
	if v.option.timeout == 0 && v.facts().answer == boardAnswer {
		return boardTimeout
	}
	return v.timeout()
}

// name is the address as it may be shown.
func (v *visit) name() string { return redact.Line(redact.Address(v.at)) }

// stream emits the pictures of one answer until it ends, and returns how many these
// were.
func (v *visit) stream(ctx context.Context, res *answer) (n int, err error) {
	defer res.close()
	in := mjpeg.NewReader(res.body, v.max, res.got)
	v.StatusReport.Set(func() string { return fmt.Sprintf("camera %s has sent %s", v.name(), res.got.Describe(v.redact.Line)) })
	defer v.StatusReport.Set(nil)
	skip := v.stale()
	var times arrived
	for ; ; n++ {
		pic, err := in.ReadPicture(ctx, v.emit)
		if ctx.Err() != nil {
			return n, nil
		}
		if err != nil {
			return n, v.streamEnd(in, n, err)
		}
		at := v.streamed(in.Splitter, &times)
		if n >= skip && at.After(v.began.Add(-oldest)) {
			v.emit(camera.Frame{JPEG: pic, Buffer: in.Buffer(), At: at, Info: in.Info()})
		}
	}
}

// streamEnd is why a stream has ended after n pictures.
func (v *visit) streamEnd(in *mjpeg.Reader, n int, err error) *camera.Error {
	text := fmt.Sprintf("camera %s ended its stream after %s", v.name(), camera.PictureCount(n))
	code := camera.NoCamera
	switch {
	case errors.Is(err, mjpeg.ErrJunk):
		code = camera.Stalled
		text = fmt.Sprintf("camera %s was left after %s", v.name(), camera.PictureCount(n))
	case !errors.Is(err, io.EOF):
		text += ": " + v.redact.Line(err.Error())
	}
	if instead := in.Broken(n, v.redact.Line); instead != "" {
		text += "; it sent " + instead
	}
	return &camera.Error{Code: code, Text: text, Err: err}
}

// oldest is how long before the stream was opened its first picture may be of.
const oldest = 2 * time.Second

// stale is how many pictures at the begin of a stream have waited in the board
// at an unknown time.
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

// before is when the picture that many before the last began to arrive.
func (a arrived) before(n int) (t time.Time, ok bool) {
	if n = len(a) - 1 - n; n < 0 {
		return t, false
	}
	return a[n], true
}

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
	*times = append(*times, at)
	sure, ok := times.before(board.MaxDepth)
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
		if agrees := !ok || f.clock.Check(stamp, at, sure); agrees && f.clock.Trusted(at) {
			by = f.clock.At(stamp, at)
		}
	})
	if t, ok := times.before(depth); ok {
		at = t
	}
	if over := len(*times) - 1 - board.MaxDepth; over > 0 {
		*times = (*times)[over:]
	}
	if by.Before(at) {
		return by
	}
	return at
}

// changed says that an address gives something else than before.
func (v *visit) changed(a *answer) *camera.Error {
	now := map[content]string{onePicture: "one picture", pictureStream: "a stream"}[a.is]
	return &camera.Error{Code: camera.NoCamera, Text: fmt.Sprintf("camera %s gives %s now, which it did not before", v.name(), now)}
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
