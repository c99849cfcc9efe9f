package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// getPicture asks the dashboard over HTTP.
func getPicture(t *testing.T, address string) (status int, body string) {
	t.Helper()
	r, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// TestPollingIsNoSnapshot polls pictures over HTTP as cards and other programs do: none
// is a snapshot, none is an event, and the last snapshot stays.
func TestPollingIsNoSnapshot(t *testing.T) {
	t.Parallel()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:")
	must(t, "snap", "porch", "--broker", hub.mqtt, "-o", t.TempDir()+"/a.jpg")
	e, _ := listenTo(t, strings.TrimPrefix(hub.mqtt, "mqtt://"), "cam/porch/#")
	for range 3 {
		status, body := getPicture(t, hub.http+"/cam/porch/snapshot.jpg")
		if status != http.StatusOK || !strings.HasPrefix(body, "\xff\xd8") {
			t.Fatalf("snapshot.jpg: %d %.60q", status, body)
		}
	}
	testkit.Until(t, "three results", func() bool { // and one of hello, where the dashboard has asked what the camera is
		stills := 0
		for _, result := range e.heard("cam/porch/result") {
			if strings.Contains(result, `"cmd":"still"`) {
				stills++
			}
		}
		return stills == 3
	})
	for _, topic := range []string{"snapshot", "snapshot/meta", "event", "frame"} {
		if n := len(e.heard("cam/porch/" + topic)); n > 0 {
			t.Errorf("%d messages on %s for pictures that are no snapshots", n, topic)
		}
	}
	if n := len(e.heard("cam/porch/preview")); n != 3 {
		t.Errorf("%d previews, want 3", n)
	}
}

// TestPreviewOverHTTP asks for the kept picture of a camera that is offline, and then for
// one that was cleared.
func TestPreviewOverHTTP(t *testing.T) {
	t.Parallel()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:")
	jpg := string(testkit.JPEG(t, 64, 48, 1, 0))
	publishRetained(t, hub.mqtt, "cam/shed/status", "offline")
	publishRetained(t, hub.mqtt, "cam/shed/preview", jpg)
	testkit.Until(t, "the dashboard knows the camera", func() bool {
		status, _ := getPicture(t, hub.http+"/cam/shed/preview.jpg")
		return status != http.StatusNotFound
	})
	if status, body := getPicture(t, hub.http+"/cam/shed/preview.jpg"); status != http.StatusOK || body != jpg {
		t.Errorf("preview.jpg: %d and %d bytes, want the %d that are kept", status, len(body), len(jpg))
	}
	publishRetained(t, hub.mqtt, "cam/shed/preview", "")
	testkit.Until(t, "a cleared picture is none", func() bool {
		status, _ := getPicture(t, hub.http+"/cam/shed/preview.jpg")
		return status == http.StatusNotFound
	})

	must(t, "snap", "porch", "--broker", hub.mqtt, "-o", t.TempDir()+"/a.jpg")
	testkit.Until(t, "the snapped picture is kept", func() bool {
		status, _ := getPicture(t, hub.http+"/cam/porch/preview.jpg")
		return status == http.StatusOK
	})
	must(t, "set", "porch", "privacy=on", "--broker", hub.mqtt)
	testkit.Until(t, "a private camera has none", func() bool {
		status, body := getPicture(t, hub.http+"/cam/porch/preview.jpg")
		return status == http.StatusNotFound && strings.Contains(body, "privacy")
	})
	if status, _ := getPicture(t, hub.http+"/cam/porch/snapshot.jpg"); status != http.StatusForbidden {
		t.Errorf("snapshot.jpg of a private camera: %d, want 403", status)
	}
}

// TestClearedCameraComesBack clears what a live camera has retained, as other tools do.
func TestClearedCameraComesBack(t *testing.T) {
	t.Parallel()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:", "cameras.porch.stats_every=1s")
	b := testkit.OpenBrowser(t, hub.http+"/", 0, 0)
	b.Wait(everyPicture)
	for _, kind := range []string{"status", "info", "state"} {
		publishRetained(t, hub.mqtt, "cam/porch/"+kind, "")
	}
	b.Wait(everyPicture + ` && document.querySelector('cam-tile[data-id=porch]').dataset.state !== 'connecting'`)
	testkit.Until(t, "the camera is listed again", func() bool {
		_, body := getPicture(t, hub.http+"/api/cameras")
		return strings.Contains(body, `"id":"porch"`) && strings.Contains(body, `"status":"online"`)
	})
	if status, _ := getPicture(t, hub.http+"/cam/porch/snapshot.jpg"); status != http.StatusOK {
		t.Errorf("snapshot.jpg: %d, want 200", status)
	}
}
