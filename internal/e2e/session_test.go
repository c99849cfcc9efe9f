package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// TestPageStaysLoggedInOverARestart restarts the hub under a page that nobody touches, as
// on a tablet on the wall, and then removes its account while the hub is down.
func TestPageStaysLoggedInOverARestart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	ann := secretOf(t, "user", "add", "ann", "--role", "viewer", "--data", data)
	secretOf(t, "user", "add", "root", "--role", "admin", "--data", data)
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+data, "cameras.porch.source=test:")
	b := testkit.OpenBrowser(t, hub.http+"/", 0, 0)
	quiet(b)
	b.Allow("WebSocket connection to")
	b.Allow("Failed to load resource: net::ERR_CONNECTION_")
	logIn(b, "ann", ann)
	b.Wait(up + ` && ` + frames + ` > 3`)
	hub.kill()
	b.Wait(`!` + up)
	hub.start()
	b.Wait(up)
	before := testkit.Eval[int](b, frames)
	b.Wait(frames + ` > ` + strconv.Itoa(before+3))

	hub.kill()
	must(t, "user", "rm", "ann", "--data", data)
	hub.start()
	b.Wait(`location.pathname === '/login'`)
}

// TestDamagedSessionKeyStopsTheStart leaves the file as it is and says what to do.
func TestDamagedSessionKeyStopsTheStart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	secretOf(t, "user", "add", "root", "--role", "admin", "--data", data)
	file := filepath.Join(data, "session.key")
	if err := os.WriteFile(file, []byte("damaged\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, status := camqtt(t, "run", "-c", "broker.listen=127.0.0.1:"+strconv.Itoa(testkit.FreePort(t)), "-c", "broker.data="+data,
		"-c", "dashboard.listen=127.0.0.1:"+strconv.Itoa(testkit.FreePort(t)))
	if status != 2 || !strings.Contains(stderr, file) || !strings.Contains(stderr, "Restore it from a copy") {
		t.Errorf("exit %d\n%s", status, stderr)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "damaged\n" {
		t.Errorf("the file was changed: %q %v", text, err)
	}
}
