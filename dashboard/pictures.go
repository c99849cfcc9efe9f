package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"camqtt/dashboard/internal/respond"
	"camqtt/internal/mqttclient"
	"camqtt/internal/ratelog"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// previewTime is how long a broker may take to bring the picture that it keeps.
const previewTime = 5 * time.Second

// pictures has the paths of single pictures.
type pictures struct {
	cameras  *cameraList
	viewer   Pictures
	captures *captures
	waiting  *semaphore
	limits   Limits
	limited  *ratelog.Logger
}

func newPictures(o Options, cameras *cameraList, limited *ratelog.Logger, busy *sync.WaitGroup) *pictures {
	p := &pictures{
		cameras: cameras, viewer: o.Viewer, waiting: newSemaphore(o.Limits.Snapshots),
		limits: o.Limits, limited: limited,
	}
	p.captures = newCaptures(busy, p.take)
	return p
}

// snapshot answers with one picture.
func (p *pictures) snapshot(w http.ResponseWriter, r *http.Request) {
	id, ok := p.cameras.findOnline(w, r)
	if !ok {
		return
	}
	ask, timeout, err := p.parseAsk(r.URL.Query())
	if err != nil {
		respond.Text(w, http.StatusBadRequest, "%s", err)
		return
	}
	if r.Method == http.MethodHead { // takes no picture
		pictureHeader(w.Header())
		return
	}
	leave, ok := p.waiting.acquire()
	if !ok {
		w.Header().Set("Retry-After", "1")
		respond.Text(w, http.StatusServiceUnavailable,
			"%d requests wait for pictures, which is the limit", p.limits.Snapshots)
		return
	}
	defer leave()
	if !r.URL.Query().Has("timeout") {
		c, _ := p.cameras.viewer.Camera(id)
		timeout = c.SnapTime(timeout)
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	picture, err := p.captures.join(ctx, captureKey{id, ask})
	if err != nil {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(p.limits.WriteTimeout))
		p.refuse(w, r, id, err)
		return
	}
	p.answer(w, picture)
}

// preview answers with the newest picture there is. It takes none, so it costs the camera
// nothing and works while the camera is offline.
func (p *pictures) preview(w http.ResponseWriter, r *http.Request) {
	c, ok := p.cameras.find(w, r)
	switch {
	case !ok:
		return
	case c.State.Privacy:
		respond.Text(w, http.StatusNotFound, "camera %s has no picture: privacy is on", c.ID)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), previewTime)
	defer cancel()
	picture, found, err := p.viewer.Kept(ctx, c.ID)
	switch {
	case err != nil:
		p.refuse(w, r, c.ID, err)
	case !found:
		respond.Text(w, http.StatusNotFound, "camera %s has no picture yet; snapshot.jpg takes one", c.ID)
	default:
		p.answer(w, picture)
	}
}

// answer sends a picture with what is known of it.
func (p *pictures) answer(w http.ResponseWriter, picture viewer.Picture) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(p.limits.WriteTimeout))
	h := w.Header()
	pictureHeader(h)
	h.Set("Content-Length", strconv.Itoa(len(picture.JPEG)))
	h.Set("Last-Modified", picture.At.UTC().Format(http.TimeFormat))
	h.Set("X-Camqtt-Age-Ms", strconv.FormatInt(max(time.Since(picture.At).Milliseconds(), 0), 10))
	if picture.Meta.Seq > 0 {
		h.Set("X-Camqtt-Seq", strconv.FormatUint(picture.Meta.Seq, 10))
	}
	_, _ = w.Write(picture.JPEG) // an error means that the client has gone
}

func pictureHeader(h http.Header) {
	h.Set("Content-Type", "image/jpeg")
	h.Set("Cache-Control", "no-store")
}

// take is one capture.
func (p *pictures) take(ctx context.Context, k captureKey) (_ viewer.Picture, err error) {
	defer caught(&err)
	return p.viewer.Still(ctx, k.id, k.ask)
}

// caught turns a panic into an error, where it would otherwise end the program.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("a fault in the program: %v", p)
	}
}

// parseAsk reads max_age, size, quality and timeout. Other keys are left alone:
// people add some to get past caches.
func (p *pictures) parseAsk(q url.Values) (a viewer.Ask, timeout time.Duration, err error) {
	timeout = p.limits.SnapTimeout
	if v := q.Get("max_age"); v != "" {
		if a.MaxAge, err = wire.ParseDuration(v); err != nil {
			return a, 0, fmt.Errorf("max_age: %w", err)
		}
	}
	if v := q.Get("timeout"); v != "" {
		timeout, err = wire.ParseDuration(v)
		if err != nil || timeout <= 0 || timeout > maxSnapTime {
			return a, 0, fmt.Errorf("timeout %.40q: want such as 5s, more than 0s and at most %s", v, maxSnapTime)
		}
	}
	a.Size, a.Quality, err = parseLook(q)
	return a, timeout, err
}

// parseLook reads size and quality.
func parseLook(q url.Values) (size wire.Size, quality int, err error) {
	if v := q.Get("size"); v != "" {
		if size, err = wire.ParseSize(v); err != nil {
			return size, 0, err
		}
	}
	if v := q.Get("quality"); v != "" {
		quality, err = wire.ParseQuality(v)
	}
	return size, quality, err
}

// refuse answers for a camera that gave none.
func (p *pictures) refuse(w http.ResponseWriter, r *http.Request, id wire.ID, err error) {
	if r.Context().Err() != nil {
		return // the client has gone
	}
	var refused *viewer.Refused
	switch {
	case errors.As(err, &refused):
		status, again := statusOf(refused.Result.Code)
		if again > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(again))
		}
		respond.Text(w, status, "camera %s: %s", id, refused)
	case errors.Is(err, mqttclient.ErrDown):
		w.Header().Set("Retry-After", "2")
		respond.Text(w, http.StatusServiceUnavailable, "not connected to the broker")
	case errors.Is(err, viewer.ErrNoAnswer), errors.Is(err, context.DeadlineExceeded):
		respond.Text(w, http.StatusGatewayTimeout,
			"camera %s did not answer in time; its status is %s", id, p.cameras.status(id))
	default:
		p.limited.Warn("no picture", "cam", string(id), "err", err)
		respond.Text(w, http.StatusBadGateway, "camera %s: %s", id, err)
	}
}

// statusOf maps a result code to HTTP, with the seconds after which a client may ask again;
// 0 is none. topics.md: result codes.
func statusOf(c wire.Code) (status, again int) {
	switch c {
	case wire.Privacy:
		return http.StatusForbidden, 0
	case wire.Busy:
		return http.StatusServiceUnavailable, 1
	case wire.Stalled:
		return http.StatusServiceUnavailable, 5
	case wire.NoCamera, wire.CameraBusy:
		return http.StatusServiceUnavailable, 10
	case wire.Timeout:
		return http.StatusGatewayTimeout, 0
	case wire.BadArgument, wire.Unsupported:
		return http.StatusBadRequest, 0
	}
	return http.StatusBadGateway, 0 // too_large, and what only a fault of ours can cause
}
