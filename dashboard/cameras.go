package dashboard

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

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

// cameras answers with the list of cameras that the visitor may see.
func (d *Dashboard) cameras(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	list := []listed{} // an empty list is [], not null
	for _, c := range d.seen(visitorOf(r).Principal) {
		list = append(list, listing(c, now))
	}
	body, err := json.Marshal(list)
	if err != nil {
		d.opts.Log.Error("cameras not listed", "err", err)
		refuse(w, http.StatusInternalServerError, "the list cannot be written; the log says more")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	_, _ = w.Write(append(body, '\n'))
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

// statusOf is status of a camera by its id.
func (d *Dashboard) statusOf(id wire.ID) string {
	c, _ := d.opts.Viewer.Camera(id)
	return status(c, time.Now())
}
