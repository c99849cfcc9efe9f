package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"camqtt/dashboard/internal/respond"
	"camqtt/internal/sendbuffer"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// unsentBytes is how much the kernel may hold of a stream that has not left yet.
const unsentBytes = 64 << 10

const (
	boundary   = "camqtt-next-picture"
	streamMIME = "multipart/x-mixed-replace; boundary=" + boundary
	// quiet is how long a stream may bring nothing before the camera's state is
	// looked at.
	quiet = 20 * time.Second
	// privacyCheck is how long a stream may go on after its camera has become private.
	privacyCheck = time.Second
)

// streams has the path of live pictures.
type streams struct {
	pictures *pictures
	open     *semaphore
	metrics  *metrics
	log      *slog.Logger
	client   func(*http.Request) net.Addr
}

// serve answers with pictures until the client goes.
func (ss *streams) serve(w http.ResponseWriter, r *http.Request) {
	id, ok := ss.pictures.cameras.findOnline(w, r)
	if !ok {
		return
	}
	live, err := parseLive(r.URL.Query())
	if err != nil {
		respond.Text(w, http.StatusBadRequest, "%s", err)
		return
	}
	if r.Method == http.MethodHead {
		streamHeader(w.Header())
		return
	}
	leave, ok := ss.open.acquire()
	if !ok {
		w.Header().Set("Retry-After", "10")
		respond.Text(w, http.StatusServiceUnavailable, "%d streams are open, which is the limit", ss.pictures.limits.Streams)
		return
	}
	defer leave()
	ctx, cancel := context.WithCancel(r.Context())
	s := &stream{
		streams: ss, id: id, live: live, w: w, control: http.NewResponseController(w),
		box: make(chan viewer.Picture, 1), over: make(chan struct{}),
	}
	s.conn, _ = ctx.Value(connKey{}).(net.Conn)
	go func() { // ends with ctx, or when the camera refuses; the handler waits
		defer close(s.over)
		s.err = s.watch(ctx)
	}()
	defer func() { <-s.over }()
	defer cancel()
	s.run(ctx, r)
}

func parseLive(q url.Values) (l viewer.Live, err error) {
	if v := q.Get("fps"); v != "" {
		if l.FPS, err = wire.ParseFPS(v); err != nil {
			return l, err
		}
	}
	l.Size, l.Quality, err = parseLook(q)
	return l, err
}

func streamHeader(h http.Header) {
	h.Set("Content-Type", streamMIME)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // asks nginx to pass pictures on at once
}

// stream is one client that watches one camera.
type stream struct {
	*streams
	id      wire.ID
	live    viewer.Live
	w       http.ResponseWriter
	control *http.ResponseController
	conn    net.Conn // nil where the server does not tell

	box  chan viewer.Picture // holds the newest picture
	over chan struct{}       // closed when the lease has been given back
	err  error               // why; set before over is closed

	head []byte
	due  time.Time // the next picture goes no earlier
}

// watch holds the lease. It never waits for the client, so that the lease is renewed
// however slow the client is.
func (s *stream) watch(ctx context.Context) (err error) {
	defer caught(&err)
	return s.pictures.viewer.Watch(ctx, s.id, s.live, func(p viewer.Picture) error {
		select {
		case <-s.box:
			s.metrics.streamReplaced.Inc()
		default:
		}
		s.box <- p
		return nil
	})
}

// run sends pictures until something ends it.
func (s *stream) run(ctx context.Context, r *http.Request) {
	sendbuffer.Limit(s.conn, unsentBytes)
	_ = s.control.SetReadDeadline(time.Time{}) // a client need not send anything
	p, err := s.next(ctx, s.pictures.limits.SnapTimeout)
	if err != nil {
		s.pictures.refuse(s.w, r, s.id, err)
		return
	}
	streamHeader(s.w.Header())
	if err = s.write(nil, []byte("--"+boundary+"\r\n")); err == nil {
		err = s.send(ctx, p)
	}
	for err == nil {
		timeout := quiet
		if s.live.FPS > 0 {
			timeout = max(quiet, 3*s.interval())
		}
		p, err = s.next(ctx, timeout)
		switch {
		case err == nil:
			err = s.send(ctx, p)
		case errors.Is(err, viewer.ErrNoAnswer) && s.expected():
			err = nil
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.metrics.streamDropped.Inc()
	}
	if ctx.Err() == nil {
		s.log.Debug("stream ended", "cam", string(s.id), "from", s.client(r).String(), "err", err)
	}
}

// next returns the next picture, or why there is none.
func (s *stream) next(ctx context.Context, timeout time.Duration) (viewer.Picture, error) {
	late := time.NewTimer(timeout)
	defer late.Stop()
	look := time.NewTicker(privacyCheck)
	defer look.Stop()
	for {
		select {
		case p := <-s.box:
			return p, nil
		case <-ctx.Done():
			return viewer.Picture{}, ctx.Err()
		case <-s.over:
			if s.err == nil {
				return viewer.Picture{}, errors.New("the camera's stream has ended")
			}
			return viewer.Picture{}, s.err
		case <-look.C:
			if err := s.private(); err != nil {
				return viewer.Picture{}, err
			}
		case <-late.C:
			return viewer.Picture{}, fmt.Errorf("%w for %s", viewer.ErrNoAnswer, timeout)
		}
	}
}

// private is why a stream ends whose camera has become private; nil where it has not.
func (s *stream) private() error {
	if c, known := s.pictures.cameras.viewer.Camera(s.id); !known || !c.State.Privacy {
		return nil
	}
	return &viewer.Refused{Result: wire.Result{Code: wire.Privacy, Text: "privacy is on"}}
}

// expected reports whether pictures may still come. When a stream ends, the client can ask
// again and is told why there is no picture.
func (s *stream) expected() bool {
	c, known := s.pictures.cameras.viewer.Camera(s.id)
	return known && c.Online(time.Now())
}

func (s *stream) interval() time.Duration {
	return time.Duration(float64(time.Second) / s.live.FPS)
}

// send writes one picture: p, or a newer one that has come before the rate allows it
// and the line takes it. The camera may send more than this client asked for,
// because others ask for more.
func (s *stream) send(ctx context.Context, p viewer.Picture) error {
	began := time.Now()
	if s.live.FPS > 0 {
		if err := s.limitRate(ctx); err != nil {
			return err
		}
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.pictures.limits.WriteTimeout))
	if s.conn != nil {
		if err := sendbuffer.AwaitRoom(s.conn); err != nil {
			return err
		}
	}
	if time.Since(began) >= privacyCheck { // the picture may be from before privacy
		if err := s.private(); err != nil {
			return err
		}
	}
	select {
	case p = <-s.box:
		s.metrics.streamReplaced.Inc()
	default:
	}
	b := append(s.head[:0], "Content-Type: image/jpeg\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(p.JPEG)), 10)
	b = append(b, "\r\nX-Timestamp: "...)
	b = fmt.Appendf(b, "%d.%03d", p.At.Unix(), p.At.Nanosecond()/1e6)
	s.head = append(b, "\r\n\r\n"...)
	if err := s.write(s.head, p.JPEG); err != nil {
		return err
	}
	// The line that begins the next part goes now: browsers show a part only when
	// they have seen its end.
	if err := s.write([]byte("\r\n--"+boundary+"\r\n"), nil); err != nil {
		return err
	}
	s.metrics.streamSent.Inc()
	return s.control.Flush()
}

// limitRate waits until the next picture is due. After a late picture the next one may come
// half an interval early, so that a camera of just this rate loses none.
func (s *stream) limitRate(ctx context.Context) error {
	if wait := time.Until(s.due); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	every := s.interval()
	s.due = s.due.Add(every)
	if soonest := time.Now().Add(every / 2); s.due.Before(soonest) {
		s.due = soonest
	}
	return nil
}

func (s *stream) write(parts ...[]byte) error {
	for _, p := range parts {
		if len(p) == 0 {
			continue
		}
		if _, err := s.w.Write(p); err != nil {
			return err
		}
	}
	return nil
}
