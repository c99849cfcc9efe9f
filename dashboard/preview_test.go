package dashboard

import (
	"errors"
	"testing"
	"time"

	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// TestPreview asks for the newest picture there is: none is taken for it.
func TestPreview(t *testing.T) {
	f := newFake()
	private := online("private")
	private.State.Privacy = true
	f.cams = append(f.cams, viewer.Camera{ID: "shed", Status: wire.Offline}, private)
	at := time.Now().Add(-time.Minute)
	f.kept = map[wire.ID]viewer.Picture{}
	for _, id := range []wire.ID{"porch", "shed", "private"} {
		f.kept[id] = viewer.Picture{JPEG: []byte("\xff\xd8kept\xff\xd9"), At: at}
	}
	s := serve(t, Options{Viewer: f})
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"porch":   {200, "kept"},
		"shed":    {200, "kept"},
		"garden":  {404, "camera garden has no picture yet"},
		"private": {404, "privacy is on"},
		"attic":   {404, "no camera attic"},
		"Porch":   {400, "want only a-z"},
	} {
		resp, body := ask(t, "GET", s.url+"/cam/"+path+"/preview.jpg")
		wantAnswer(t, resp, body, want.status, want.text)
		if want.status == 200 && (resp.Header.Get("Content-Type") != "image/jpeg" || len(resp.Header.Get("X-Camqtt-Age-Ms")) != 5) {
			t.Errorf("%s: headers %v, want a JPEG that is a minute old", path, resp.Header)
		}
	}
	if n := f.snaps.Load(); n != 0 {
		t.Errorf("%d pictures were taken", n)
	}
	f.keptErr = errors.New("the broker refuses")
	resp, body := ask(t, "GET", s.url+"/cam/porch/preview.jpg")
	wantAnswer(t, resp, body, 502, "the broker refuses")
}
