package dashboard

import (
	"context"
	"net/http"
	"time"
)

// previewTime is how long a broker may take to bring the picture that it keeps.
const previewTime = 5 * time.Second

// preview answers with the newest picture there is. It takes none, so it costs the camera
// nothing and works while the camera is offline.
func (d *Dashboard) preview(w http.ResponseWriter, r *http.Request) {
	c, ok := d.known(w, r)
	switch {
	case !ok:
		return
	case c.State.Privacy:
		refuse(w, http.StatusNotFound, "camera %s has no picture: privacy is on", c.ID)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), previewTime)
	defer cancel()
	p, found, err := d.opts.Viewer.Kept(ctx, c.ID)
	switch {
	case err != nil:
		d.refusePicture(w, r, c.ID, err)
	case !found:
		refuse(w, http.StatusNotFound, "camera %s has no picture yet; snapshot.jpg takes one", c.ID)
	default:
		d.answerPicture(w, p)
	}
}
