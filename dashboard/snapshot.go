package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// snapshot answers with one picture.
func (d *Dashboard) snapshot(w http.ResponseWriter, r *http.Request) {
	id, ok := d.camera(w, r)
	if !ok {
		return
	}
	ask, timeout, err := d.parseAsk(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, "%s", err)
		return
	}
	if r.Method == http.MethodHead { // who only looks whether it is there gets no picture taken
		pictureHeader(w.Header())
		return
	}
	leave, ok := d.snaps.enter()
	if !ok {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "%d requests wait for pictures, which is the limit", d.opts.Limits.Snapshots)
		return
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	p, err := d.captures.join(ctx, captureKey{id, ask})
	if err != nil {
		d.refusePicture(w, r, id, err)
		return
	}
	d.answerPicture(w, p)
}

// answerPicture sends a picture with what is known of it.
func (d *Dashboard) answerPicture(w http.ResponseWriter, p viewer.Picture) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d.opts.Limits.WriteTimeout))
	h := w.Header()
	pictureHeader(h)
	h.Set("Content-Length", strconv.Itoa(len(p.JPEG)))
	h.Set("Last-Modified", p.At.UTC().Format(http.TimeFormat))
	h.Set("X-Camqtt-Age-Ms", strconv.FormatInt(max(time.Since(p.At).Milliseconds(), 0), 10))
	if p.Meta.Seq > 0 {
		h.Set("X-Camqtt-Seq", strconv.FormatUint(p.Meta.Seq, 10))
	}
	_, _ = w.Write(p.JPEG) // who has gone needs no picture
}

func pictureHeader(h http.Header) {
	h.Set("Content-Type", "image/jpeg")
	h.Set("Cache-Control", "no-store")
}

// take is one capture.
func (d *Dashboard) take(ctx context.Context, k captureKey) (p viewer.Picture, err error) {
	defer caught(&err)
	return d.opts.Viewer.Still(ctx, k.id, k.ask)
}

// caught turns a panic into an error, where it would otherwise end the program.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("a fault in the program: %v", p)
	}
}

// camera finds out which camera is meant that can be asked. false: it has answered.
func (d *Dashboard) camera(w http.ResponseWriter, r *http.Request) (wire.ID, bool) {
	c, ok := d.known(w, r)
	if ok && c.Status == wire.Offline {
		refuse(w, http.StatusGatewayTimeout, "camera %s is offline", c.ID)
		return "", false
	}
	return c.ID, ok
}

// known finds out which camera is meant. false: it has answered.
func (d *Dashboard) known(w http.ResponseWriter, r *http.Request) (viewer.Camera, bool) {
	id, err := wire.ParseID(r.PathValue("id"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "%s", err)
		return viewer.Camera{}, false
	}
	if !d.opts.Ready() {
		w.Header().Set("Retry-After", "2")
		refuse(w, http.StatusServiceUnavailable, "not connected to the broker")
		return viewer.Camera{}, false
	}
	c, known := d.opts.Viewer.Camera(id)
	if !known {
		refuse(w, http.StatusNotFound, "no camera %s on the broker; there is %s", id, theIDs(d.seen(visitorOf(r).Principal)))
	}
	return c, known
}

// theIDs lists cameras for people who mistyped one.
func theIDs(all []viewer.Camera) string {
	const most = 20
	var ids []string
	for _, c := range all[:min(len(all), most)] {
		ids = append(ids, string(c.ID))
	}
	switch {
	case len(all) == 0:
		return "none"
	case len(all) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(ids, ", "), len(all)-most)
	}
	return strings.Join(ids, ", ")
}

// parseAsk reads max_age, size, quality and timeout. Other keys are left alone:
// people add some to get past caches.
func (d *Dashboard) parseAsk(q url.Values) (a viewer.Ask, timeout time.Duration, err error) {
	timeout = d.opts.Limits.SnapTimeout
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

// refusePicture answers for a camera that gave none.
func (d *Dashboard) refusePicture(w http.ResponseWriter, r *http.Request, id wire.ID, err error) {
	if r.Context().Err() != nil {
		return // nobody listens
	}
	var refused *viewer.Refused
	switch {
	case errors.As(err, &refused):
		status, again := statusOf(refused.Result.Code)
		if again > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(again))
		}
		refuse(w, status, "camera %s: %s", id, refused)
	case errors.Is(err, mqttclient.ErrDown):
		w.Header().Set("Retry-After", "2")
		refuse(w, http.StatusServiceUnavailable, "not connected to the broker")
	case errors.Is(err, viewer.ErrNoAnswer), errors.Is(err, context.DeadlineExceeded):
		refuse(w, http.StatusGatewayTimeout, "camera %s did not answer in time; its status is %s", id, d.statusOf(id))
	default:
		d.often.Warn("no picture", "cam", string(id), "err", err)
		refuse(w, http.StatusBadGateway, "camera %s: %s", id, err)
	}
}

// statusOf maps a camera's answer to HTTP, with the seconds after which asking again
// makes sense. topics.md: result codes.
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
