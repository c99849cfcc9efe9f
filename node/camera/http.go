package camera

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"camqtt/internal/jpeg"
)

const (
	dialTimeout   = 5 * time.Second
	headerTimeout = 10 * time.Second
	bodyTimeout   = 10 * time.Second // for one snapshot
	snapshotFPS   = 1
	brokenInARow  = 5 // snapshots that may be broken before the camera is given up
	maxRedirects  = 5
)

// httpSource is a camera with a web address: an endless multipart stream, or a
// picture per request. Which of the two it is, the first answer tells.
type httpSource struct {
	url    *url.URL // without user and password
	user   *url.Userinfo
	base   http.RoundTripper // nil: one of its own for each Stream
	max    int
	redact redactor
	log    *slog.Logger
	kind   atomic.Int32 // unknownAnswer until there was one
}

const (
	unknownAnswer = iota
	streamAnswer
	snapshotAnswer
)

func openHTTP(rest string, o Options) (Source, error) { return openURL("http:"+rest, o) }

func openHTTPS(rest string, o Options) (Source, error) { return openURL("https:"+rest, o) }

func openURL(source string, o Options) (Source, error) {
	show := clean(Mask(source))
	u, err := url.Parse(source)
	if err != nil {
		// The parser's own text repeats the source, password and all.
		return nil, configError("source %s: not a URL: want http://user:password@host:port/path, with %%40 for an @ in a password", show)
	}
	if u.Hostname() == "" {
		return nil, configError("source %s: no host: want %s://host/path", show, u.Scheme)
	}
	s := &httpSource{user: u.User, max: o.MaxPicture, redact: newRedactor(source), log: o.Log}
	u.User, u.Fragment = nil, ""
	s.url = u
	if o.HTTPClient != nil {
		if s.base = o.HTTPClient.Transport; s.base == nil {
			s.base = http.DefaultTransport
		}
	}
	return s, nil
}

// Profile is Instant, and has CapFPS, only once an answer has shown that the
// address gives a picture per request.
func (s *httpSource) Profile() Profile {
	p := Profile{Kind: "http", Model: s.url.Host}
	if s.kind.Load() == snapshotAnswer {
		p.Instant, p.Caps = true, []string{CapFPS}
	}
	return p
}

// Stream asks for the address and goes by what comes back: the parts of a
// multipart answer are the pictures; a JPEG is the first of pictures asked for
// at Mode.FPS, 1 if that is 0, one request at a time.
func (s *httpSource) Stream(ctx context.Context, m Mode, emit func(Frame)) error {
	if err := m.check(); err != nil {
		return err
	}
	base := s.base
	if base == nil {
		d := newDialer()
		defer d.close()
		base = d.transport()
	}
	auth := &authTransport{base: base, user: s.user}
	v := &visit{httpSource: s, client: &http.Client{Transport: auth, CheckRedirect: sameHost}, emit: emit}
	defer v.client.CloseIdleConnections()
	err := v.run(ctx, m)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	return err
}

// visit is one Stream of an httpSource.
type visit struct {
	*httpSource
	client *http.Client
	emit   func(Frame)
	broken int // snapshots in a row that were no whole picture
}

func (v *visit) run(ctx context.Context, m Mode) error {
	at := time.Now()
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	res, err := v.get(asking)
	if err != nil {
		return err
	}
	if isMotion(res) {
		v.kind.Store(streamAnswer)
		return v.stream(ctx, res)
	}
	v.kind.Store(snapshotAnswer)
	if err := v.snapshot(ctx, answer{res, cancel, at}); err != nil {
		return err
	}
	return v.poll(ctx, cmp.Or(m.FPS, snapshotFPS))
}

// get sends the request and returns an answer that has pictures in it.
func (v *visit) get(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url.String(), nil)
	if err != nil {
		return nil, configError("source %s: %s", v.name(), v.redact.line(err.Error()))
	}
	req.Header.Set("Accept", "multipart/x-mixed-replace, image/jpeg, */*;q=0.1")
	req.Header.Set("User-Agent", "camqtt")
	res, err := v.client.Do(req)
	if err != nil {
		return nil, v.requestError(err)
	}
	if err := v.refusal(res); err != nil {
		res.Body.Close()
		return nil, err
	}
	return res, nil
}

// name is the source as it may be shown.
func (v *visit) name() string { return v.redact.line(v.url.String()) }

// stream emits the pictures of an endless answer.
func (v *visit) stream(ctx context.Context, res *http.Response) error {
	defer res.Body.Close()
	split := jpeg.NewSplitter(res.Body, jpeg.SplitterOptions{Max: v.max})
	lost := cuts{split: split}
	for n := 0; ; n++ {
		pic, err := split.Next()
		if ctx.Err() != nil {
			return nil
		}
		lost.tell(v.emit)
		if err == nil {
			v.emit(Frame{JPEG: pic, At: split.First()})
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

// poll asks for one picture after the other. The first has been taken already.
func (v *visit) poll(ctx context.Context, fps float64) error {
	first := true
	return grid(ctx, interval(fps), func() error {
		if first {
			first = false
			return nil
		}
		at := time.Now()
		asking, cancel := context.WithCancel(ctx)
		defer cancel()
		res, err := v.get(asking)
		if err != nil {
			return err
		}
		if isMotion(res) {
			res.Body.Close()
			return &Error{Code: NoCamera, Text: fmt.Sprintf("camera %s gave single pictures before and now %s", v.name(), v.redact.line(mediaType(res)))}
		}
		return v.snapshot(ctx, answer{res, cancel, at})
	})
}

// answer is that to a request for a single picture.
type answer struct {
	*http.Response
	cancel context.CancelFunc // ends the request
	asked  time.Time          // when it was sent
}

// snapshot emits the picture of an answer. One that is not whole is left out, a
// few times in a row.
func (v *visit) snapshot(ctx context.Context, a answer) error {
	defer a.Body.Close()
	// Some cameras begin an answer and forget it without closing the connection.
	timer := time.AfterFunc(bodyTimeout, a.cancel)
	pic, err := v.one(a.Response)
	late := !timer.Stop()
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		v.broken = 0
		v.emit(Frame{JPEG: pic, At: a.asked})
		return nil
	case late:
		return &Error{Code: NoCamera, Text: fmt.Sprintf("camera %s began a picture and did not finish it within %s", v.name(), bodyTimeout), Err: err}
	}
	v.broken++
	v.emit(Frame{bad: errors.New(v.redact.line(err.Error()))})
	if v.broken < brokenInARow {
		return nil
	}
	return &Error{Code: Stalled, Text: fmt.Sprintf("camera %s sent %d pictures in a row that were no whole JPEG: %s", v.name(), v.broken, v.redact.line(err.Error())), Err: err}
}

// one is the picture of an answer. Where no length is given its end is found by
// its markers, because then some cameras keep the connection open behind it.
func (v *visit) one(res *http.Response) ([]byte, error) {
	n := res.ContentLength
	if n > int64(v.max) {
		return nil, fmt.Errorf("got a picture of %d bytes, want at most %s", n, byteCount(v.max))
	}
	if n >= 0 {
		b := make([]byte, n)
		if got, err := io.ReadFull(res.Body, b); err != nil {
			return nil, fmt.Errorf("got %d of %d bytes: %w", got, n, err)
		}
		return whole(b)
	}
	split := jpeg.NewSplitter(io.LimitReader(res.Body, int64(v.max)+1), jpeg.SplitterOptions{Max: v.max})
	pic, err := split.Next()
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = fmt.Errorf("got %d bytes, want one whole picture of at most %s", split.Skipped(), byteCount(v.max))
	}
	if err == nil && len(res.TransferEncoding) > 0 {
		// Reading to the end of the chunks lets the connection be used again.
		_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
	}
	return pic, err
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

// sameHost keeps a redirect from carrying a password, or the camera's place in
// the network, elsewhere.
func sameHost(req *http.Request, via []*http.Request) error {
	from := via[len(via)-1].URL
	if req.URL.Hostname() != from.Hostname() || from.Scheme == "https" && req.URL.Scheme != "https" || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}
