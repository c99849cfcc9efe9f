package dashboard

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"camqtt/dashboard/internal/login"
	"camqtt/dashboard/internal/respond"
	"camqtt/internal/access"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// The values of status in /api/cameras beside those of topics.md.
const (
	statusLost    = "lost"    // online by its status, but silent for three heartbeats
	statusUnknown = "unknown" // the camera has said nothing of it yet
)

// listed is a camera in /api/cameras.
type listed struct {
	ID        wire.ID       `json:"id"`
	Name      string        `json:"name"`
	Status    string        `json:"status"`
	Streaming bool          `json:"streaming"`
	Viewers   int           `json:"viewers"`
	Width     int           `json:"width"`
	Height    int           `json:"height"`
	FPS       float64       `json:"fps"`
	LastFrame *wire.Time    `json:"last_frame"`
	AgeMS     *int64        `json:"age_ms"` // of the last picture
	Privacy   bool          `json:"privacy"`
	Error     *wire.Problem `json:"error"`
	Warning   string        `json:"warning"` // what is not as asked while pictures come; "" for nothing
	Model     string        `json:"model"`
	Source    string        `json:"source"`
	Host      string        `json:"host"`
	Version   string        `json:"version"`
	Stats     *wire.Stats   `json:"stats"` // null before the first heartbeat
}

// cameraList has the cameras, and the rules which user may see them.
type cameraList struct {
	viewer Cameras
	base   wire.Base
	space  access.Space
	ready  func() bool // the broker can be reached
}

// serve answers with the list of cameras that the user may see.
func (l *cameraList) serve(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	list := []listed{} // an empty list is [], not null
	for _, c := range l.visible(login.UserOf(r).Principal) {
		list = append(list, listing(c, now))
	}
	respond.JSON(w, list)
}

// sees reports whether a user may see a camera.
func (l *cameraList) sees(p access.Principal, id wire.ID) bool {
	return l.space.Allowed(p, access.Receive, l.base.Topic(id, wire.KindState))
}

// mayUse reports whether a user may see a camera, and use one of its topics.
func (l *cameraList) mayUse(p access.Principal, id wire.ID, a access.Action, k wire.Kind) bool {
	if _, err := wire.ParseID(string(id)); err != nil {
		return p.Watches() // the handler says what is wrong with the id
	}
	return l.sees(p, id) && l.space.Allowed(p, a, l.base.Topic(id, k))
}

// visible are the cameras that a user may see.
func (l *cameraList) visible(p access.Principal) []viewer.Camera {
	all := l.viewer.Cameras()
	out := all[:0:0]
	for _, c := range all {
		if l.sees(p, c.ID) {
			out = append(out, c)
		}
	}
	return out
}

// find returns the camera of a request. ok is false when it has answered.
func (l *cameraList) find(w http.ResponseWriter, r *http.Request) (_ viewer.Camera, ok bool) {
	id, err := wire.ParseID(r.PathValue("id"))
	if err != nil {
		respond.Text(w, http.StatusBadRequest, "%s", err)
		return viewer.Camera{}, false
	}
	if !l.ready() {
		w.Header().Set("Retry-After", "2")
		respond.Text(w, http.StatusServiceUnavailable, "not connected to the broker")
		return viewer.Camera{}, false
	}
	c, known := l.viewer.Camera(id)
	if !known {
		respond.Text(w, http.StatusNotFound, "no camera %s on the broker; there is %s",
			id, idList(l.visible(login.UserOf(r).Principal)))
	}
	return c, known
}

// findOnline is find for a camera that is to answer. ok is false when it has answered.
func (l *cameraList) findOnline(w http.ResponseWriter, r *http.Request) (_ wire.ID, ok bool) {
	c, ok := l.find(w, r)
	if ok && c.Status == wire.Offline {
		respond.Text(w, http.StatusGatewayTimeout, "camera %s is offline", c.ID)
		return "", false
	}
	return c.ID, ok
}

// idList lists cameras for a user who mistyped one.
func idList(all []viewer.Camera) string {
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

func listing(c viewer.Camera, now time.Time) listed {
	l := listed{
		ID: c.ID, Name: c.Info.Name, Status: status(c, now),
		Streaming: c.State.Streaming, Viewers: c.State.Viewers,
		Width: c.State.Width, Height: c.State.Height, FPS: c.State.FPS,
		LastFrame: c.State.LastFrame, Privacy: c.State.Privacy, Error: c.State.Error, Warning: c.Warning(),
		Model: c.Info.Model, Source: c.Info.Source, Host: c.Info.Host, Version: c.Info.Version,
	}
	if l.Name == "" {
		l.Name = string(c.ID)
	}
	if t := c.State.LastFrame; t != nil {
		age := c.Age(t.Time, now).Milliseconds()
		l.AgeMS = &age
	}
	if !c.Stats.TS.IsZero() {
		l.Stats = &c.Stats
	}
	return l
}

// status says in one word what is known of a camera.
func status(c viewer.Camera, now time.Time) string {
	switch {
	case c.Lost(now):
		return statusLost
	case c.Status == wire.Online, c.Status == wire.Sleeping, c.Status == wire.Offline:
		return c.Status
	}
	return statusUnknown
}

// status says in one word what is known of a camera.
func (l *cameraList) status(id wire.ID) string {
	c, _ := l.viewer.Camera(id)
	return status(c, time.Now())
}
