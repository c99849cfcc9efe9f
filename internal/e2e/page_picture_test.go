package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// js that looks for what is left of a picture.
const (
	// blank is that every pixel of a canvas is black, as before the first picture.
	blank = `(([canvas]) => {
		const { width, height } = canvas;
		const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
		copy.drawImage(canvas, 0, 0);
		return copy.getImageData(0, 0, width, height).data.every((v, i) => i % 4 === 3 || v === 0);
	})`
	tileCanvas = `document.querySelectorAll('cam-tile[data-id=porch] canvas')`
	fullCanvas = `document.querySelectorAll('cam-focus canvas')`
	fullName   = `document.querySelector('cam-focus [data-part=name]').textContent`
	fullAge    = `document.querySelector('cam-focus [data-part=age]').textContent`
)

// publishRetained publishes as another program does.
func publishRetained(t *testing.T, url, topic, payload string) {
	t.Helper()
	host, port, err := net.SplitHostPort(strings.TrimPrefix(url, "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "payload")
	if err := os.WriteFile(file, []byte(payload), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-h", host, "-p", port, "-r", "-q", "1", "-t", topic, "-f", file}
	if _, stderr, status := testkit.Run(t, testkit.Tool(t, "mosquitto_pub"), args...); status != 0 {
		t.Fatal(stderr)
	}
}

// TestPageShowsNoOtherCamerasPicture steps in the full view from a live camera to one
// that is offline and has no picture.
func TestPageShowsNoOtherCamerasPicture(t *testing.T) {
	t.Parallel()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:")
	publishRetained(t, hub.mqtt, "cam/shed/status", "offline")
	b := testkit.OpenBrowser(t, hub.http+"/#porch", 0, 0)
	b.Wait(`Number(document.querySelector('cam-focus')?.dataset.frames ?? 0) > 3`)
	if testkit.Eval[bool](b, blank+`(`+fullCanvas+`)`) {
		t.Fatal("a live camera's canvas is found blank")
	}
	b.Press("s")
	b.Wait(`!document.querySelector('cam-focus [data-part=save]').hidden`)
	b.Press("\u0303") // the arrow to the right
	b.Wait(fullName + ` === 'shed'`)
	for range 2 { // at once, and after what was being decoded
		if !testkit.Eval[bool](b, blank+`(`+fullCanvas+`) && `+fullAge+` === ''`) {
			t.Error("the picture of one camera is shown under the name of another")
		}
		if !testkit.Eval[bool](b, `document.querySelector('cam-focus [data-part=save]').hidden`) {
			t.Error("the picture of one camera is offered for download at another")
		}
		testkit.Eval[bool](b, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
	}
	shot(t, b, "page-other-camera")
	b.Press("\u0303")
	b.Wait(`location.hash === '#porch'`)
	b.Wait(`!` + blank + `(` + fullCanvas + `)`)
}

// TestPageDropsPrivatePictures turns privacy on while pictures are shown, kept and
// offered for download, and looks for any that is left.
func TestPageDropsPrivatePictures(t *testing.T) {
	t.Parallel()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:", "cameras.yard.source=test:")
	b := testkit.OpenBrowser(t, hub.http+"/", 0, 0)
	b.Wait(frames + ` > 3`)
	b.Click(`cam-tile[data-id=porch] [data-part=snap]`)
	b.Wait(`!` + porch + `.querySelector('[data-part=save]').hidden`)
	testkit.Eval[bool](b, `((saved, revoke) => {
		URL.revokeObjectURL = (url) => { window.revoked ||= url === saved; revoke.call(URL, url); };
		return true;
	})(`+porch+`.querySelector('[data-part=save]').href, URL.revokeObjectURL)`)
	testkit.Eval[bool](b, `(location.hash = '#porch') !== ''`)
	b.Wait(`Number(document.querySelector('cam-focus')?.dataset.frames ?? 0) > 3`)

	must(t, "set", "porch", "privacy=on", "--broker", hub.mqtt)
	b.Wait(porch + `.dataset.state === 'privacy'`)
	nothing := func(when string) {
		t.Helper()
		if !testkit.Eval[bool](b, blank+`(`+tileCanvas+`)`) {
			t.Errorf("%s the tile still holds the picture before privacy", when)
		}
		if !testkit.Eval[bool](b, blank+`(`+fullCanvas+`)`) {
			t.Errorf("%s the full view still holds the picture before privacy", when)
		}
		if !testkit.Eval[bool](b, porch+`.feed.last === null`) {
			t.Errorf("%s the page still keeps the picture before privacy", when)
		}
	}
	nothing("with privacy on")
	shot(t, b, "page-privacy-full")
	b.Press("\u0303")
	b.Wait(fullName + ` === 'yard'`)
	b.Wait(`Number(document.querySelector('cam-focus').dataset.frames) > 3`)
	b.Press("\u0303")
	b.Wait(fullName + ` === 'porch'`)
	nothing("after another camera")
	b.Press("\x1b")
	b.Wait(`!document.querySelector('dialog[open]')`)
	nothing("in the tiles")
	shot(t, b, "page-privacy")
	if !testkit.Eval[bool](b, `window.revoked === true && `+porch+`.querySelector('[data-part=save]').hidden`) {
		t.Error("the picture taken before privacy can still be downloaded")
	}

	must(t, "set", "porch", "privacy=off", "--broker", hub.mqtt)
	b.Wait(moving)
	b.Wait(`!` + blank + `(` + tileCanvas + `)`)
}

// TestPageObeysAnEmptyPreview clears the kept picture of an offline camera.
func TestPageObeysAnEmptyPreview(t *testing.T) {
	t.Parallel()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=")
	publishRetained(t, hub.mqtt, "cam/porch/status", "offline")
	publishRetained(t, hub.mqtt, "cam/porch/preview", string(testkit.JPEG(t, 64, 48, 1, 0)))
	b := testkit.OpenBrowser(t, hub.http+"/", 0, 0)
	b.Wait(`!` + blank + `(` + tileCanvas + `)`)
	publishRetained(t, hub.mqtt, "cam/porch/preview", "")
	b.Wait(blank + `(` + tileCanvas + `) && ` + porch + `.feed.last === null`)
}
