package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// js that looks at one camera's tile.
const (
	porch  = `document.querySelector('cam-tile[data-id=porch]')`
	frames = `Number(` + porch + `?.dataset.frames ?? 0)`
	// moving is that pictures come; slow is what the page rightly says of itself on a
	// machine that has much else to do.
	moving = `/^(live|slow)$/.test(` + porch + `?.dataset.state)`
)

// shot takes a screenshot when PAGE_SHOTS names a folder.
func shot(t *testing.T, b *testkit.Browser, name string) {
	t.Helper()
	if dir := os.Getenv("PAGE_SHOTS"); dir != "" {
		b.Screenshot(filepath.Join(dir, name+".png"))
	}
}

// TestPage opens the demo's page in a real browser: pictures move, a snap
// arrives, the large view opens, and a hidden page gives its lease back.
func TestPage(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	b := testkit.OpenBrowser(t, d.http+"/", 0, 0)
	b.Wait(`document.documentElement.dataset.broker === 'up'`)
	b.Wait(frames + ` > 5`)
	b.Wait(`document.querySelectorAll('cam-tile').length === 2`)
	b.Wait(moving)
	shot(t, b, "page-light")
	b.Media("prefers-color-scheme", "dark")
	shot(t, b, "page-dark")
	b.Viewport(390, 844)
	b.Wait(moving)
	shot(t, b, "page-phone")
	b.Viewport(1280, 900)
	b.Media("prefers-color-scheme", "light")

	b.Click(`cam-tile[data-id=porch] [data-part=snap]`)
	b.Wait(porch + `.querySelector('[data-part=note]').textContent.includes('ms')`)
	testkit.Until(t, "ls sees the page watching", func() bool { return strings.Contains(must(t, "ls", "--broker", d.mqtt), "watching") })
	b.Click(`cam-tile[data-id=porch] [data-part=view]`)
	b.Wait(`location.hash === '#porch'`)
	b.Wait(`Number(document.querySelector('cam-focus')?.dataset.frames ?? 0) > 3`)
	shot(t, b, "page-focus")
	b.Press("\x1b")
	b.Wait(`document.querySelector('dialog[open]') === null`)

	testkit.Eval[bool](b, `Object.defineProperty(document, 'visibilityState', {configurable: true, get: () => 'hidden'}) && Object.defineProperty(document, 'hidden', {configurable: true, get: () => true}) && document.dispatchEvent(new Event('visibilitychange')) || true`)
	testkit.Until(t, "a hidden page gives its leases back", func() bool {
		out := must(t, "ls", "--broker", d.mqtt)
		return strings.Count(out, "online") == 2 && !strings.Contains(out, "watching")
	})
	testkit.Eval[bool](b, `delete document.visibilityState && delete document.hidden && document.dispatchEvent(new Event('visibilitychange')) || true`)
	before := testkit.Eval[int](b, frames)
	b.Wait(frames + ` > ` + strconv.Itoa(before+3))
}

// TestPageSurvivesBrokerRestart serves the page for a broker elsewhere and
// restarts that broker.
func TestPageSurvivesBrokerRestart(t *testing.T) {
	t.Parallel()
	m := testkit.StartMosquitto(t)
	url := "mqtt://" + m.Addr
	hub := startHub(t, "mqtt.url="+url, "cameras.porch.source=test:")
	b := testkit.OpenBrowser(t, hub.http+"/", 0, 0)
	b.Wait(frames + ` > 3`)
	b.Allow("WebSocket connection to")
	m.Stop()
	b.Wait(`document.documentElement.dataset.broker !== 'up'`)
	shot(t, b, "page-broker-down")
	m.Start()
	b.Wait(`document.documentElement.dataset.broker === 'up'`)
	before := testkit.Eval[int](b, frames)
	b.Wait(frames + ` > ` + strconv.Itoa(before+3))
}

// TestPageSurvivesRestart kills the whole program and starts it again on the
// same ports.
func TestPageSurvivesRestart(t *testing.T) {
	t.Parallel()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:")
	b := testkit.OpenBrowser(t, hub.http+"/", 0, 0)
	b.Wait(frames + ` > 3`)
	b.Allow("WebSocket connection to")
	b.Allow("Failed to load resource: net::ERR_CONNECTION_") // it asks who it is before it connects, while nobody is there
	hub.kill()
	b.Wait(`document.documentElement.dataset.broker !== 'up'`)
	hub.start()
	b.Wait(`document.documentElement.dataset.broker === 'up'`)
	before := testkit.Eval[int](b, frames)
	b.Wait(frames + ` > ` + strconv.Itoa(before+3))
}

// TestPageShowsTroubles looks at the states that only broken cameras have.
func TestPageShowsTroubles(t *testing.T) {
	t.Parallel()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=",
		"cameras.porch.source=test:", "cameras.gone.source=exec:false", "cameras.private.source=test:")
	b := testkit.OpenBrowser(t, hub.http+"/", 0, 0)
	b.Wait(frames + ` > 3`)
	b.Wait(`document.querySelector('cam-tile[data-id=gone]').dataset.state === 'error'`)
	b.Wait(`document.querySelector('cam-tile[data-id=private]').dataset.frames > 0`) // it hears commands
	must(t, "set", "private", "privacy=on", "--broker", hub.mqtt)
	b.Wait(`document.querySelector('cam-tile[data-id=private]').dataset.state === 'privacy'`)
	if testkit.Eval[bool](b, `document.querySelector('cam-tile[data-id=private] canvas').checkVisibility({ visibilityProperty: true })`) {
		t.Error("the last picture before privacy is still to be seen")
	}
	shot(t, b, "page-troubles")
	host, port, err := net.SplitHostPort(strings.TrimPrefix(hub.mqtt, "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	for topic, payload := range map[string]string{"status": "online", "state": `{"streaming":false,"warning":"it keeps 640x480"}`} {
		if _, stderr, status := testkit.Run(t, testkit.Tool(t, "mosquitto_pub"), "-h", host, "-p", port, "-r", "-q", "1", "-t", "cam/stubborn/"+topic, "-m", payload); status != 0 {
			t.Fatal(stderr)
		}
	}
	testkit.Eval[bool](b, `(location.hash = '#stubborn') !== ''`)
	b.Wait(`document.querySelector('cam-focus [data-part=facts]')?.textContent.includes('it keeps 640x480')`)
}

// TestPageShowsRealVideo sees ffmpeg's pictures move.
func TestPageShowsRealVideo(t *testing.T) {
	t.Parallel()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source="+ffmpegSource(video(t)))
	b := testkit.OpenBrowser(t, hub.http+"/#porch", 0, 0)
	b.Wait(`Number(document.querySelector('cam-focus')?.dataset.frames ?? 0) > 10`)
	if broken := testkit.Eval[int](b, `document.querySelector('cam-focus').feed.counts.broken`); broken != 0 {
		t.Errorf("%d broken pictures", broken)
	}
	shot(t, b, "page-video")
}

// TestPageAtBrokerWithAccounts serves the page for a broker that lets nobody in
// without a password.
func TestPageAtBrokerWithAccounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "passwords"), filepath.Join(dir, "secret")
	if _, stderr, status := testkit.Run(t, testkit.Tool(t, "mosquitto_passwd"), "-b", "-c", file, "cam", "s3cret"); status != 0 {
		t.Fatal(stderr)
	}
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := testkit.StartMosquitto(t, "password_file "+file, "user root", "acl_file "+acl(t, dir))
	hub := startHub(t, "mqtt.url=mqtt://"+m.Addr, "mqtt.username=cam", "mqtt.password_file="+secret, "cameras.porch.source=test:")
	b := testkit.OpenBrowser(t, hub.http+"/", 0, 0)
	b.Wait(frames + ` > 3`)
	must(t, "snap", "porch", "--broker", "mqtt://cam@"+m.Addr, "--password-file", secret, "-o", filepath.Join(dir, "p.jpg"))
	if _, stderr, status := camqtt(t, "ls", "--broker", "mqtt://cam:wrong@"+m.Addr); status != 1 || !strings.Contains(stderr, "refused the user name or password") || strings.Contains(stderr, "demo") {
		t.Errorf("a wrong password: exit %d, %s", status, stderr)
	}
}

// acl lets only the user cam read and write.
func acl(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "acl")
	if err := os.WriteFile(path, []byte("user cam\ntopic readwrite #\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPageWithoutCameras(t *testing.T) {
	t.Parallel()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=")
	b := testkit.OpenBrowser(t, hub.http+"/", 0, 0)
	b.Wait(`document.documentElement.dataset.broker === 'up'`)
	b.Wait(`document.querySelector('#empty').offsetHeight > 0 && document.querySelector('#empty').textContent.includes('camqtt node')`)
	shot(t, b, "page-empty")
}

// TestPageLinks opens links as Home Assistant has them on a
// device's page.
func TestPageLinks(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	b := testkit.OpenBrowser(t, d.http+"/#garden", 0, 0)
	b.Wait(`document.querySelector('dialog[open] #focus-name')?.textContent === 'Garden'`)
	b.Press("\x1b")
	b.Wait(`!document.querySelector('dialog[open]') && location.hash === ''`)
	testkit.Eval[bool](b, `(location.hash = '#nosuch') !== ''`)
	b.Wait(`!document.getElementById('unknown').hidden && document.getElementById('unknown-text').textContent.includes('nosuch')`)
	b.Click(`#unknown a`)
	b.Wait(`document.getElementById('unknown').hidden`)
}
