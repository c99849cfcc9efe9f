package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// NATSServer is the module of the NATS server that is tested with.
const NATSServer = "github.com/nats-io/nats-server/v2@v2.15.2"

// GoTool builds a program of another Go module once, into the user's cache, and
// returns its path; what cannot be fetched is missing, as in [Tool]. For a user without
// a cache it is built for each test.
func GoTool(t testing.TB, name, module string) string {
	t.Helper()
	fresh, path := t.TempDir(), ""
	if cache, err := os.UserCacheDir(); err == nil {
		dir := filepath.Join(cache, "camqtt-tools", name+"-"+filepath.Base(module))
		path = filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		// Tests of other packages may look for it, or build it, just now: it comes to
		// its place whole.
		_ = os.MkdirAll(dir, 0o755) // the next line says whether it is there
		if beside, err := os.MkdirTemp(dir, "new"); err == nil {
			defer os.RemoveAll(beside)
			fresh = beside
		} else {
			path = ""
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, Tool(t, "go"), "install", module)
	cmd.Dir = t.TempDir() // outside of this module
	cmd.Env = append(os.Environ(), "GOBIN="+fresh, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("go install %s: %v\n%s", module, err, out)
		}
		t.Skipf("go install %s: %v\n%s", module, err, out)
	}
	if path == "" {
		return filepath.Join(fresh, name)
	}
	if err := os.Rename(filepath.Join(fresh, name), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// NATS is a running NATS server with its MQTT side.
type NATS struct {
	Addr string // host:port of MQTT

	t       testing.TB
	program string
	conf    string
	p       *Program
}

// StartNATS runs nats-server on loopback until the test ends, with further lines of
// configuration, if any.
func StartNATS(t testing.TB, extra ...string) *NATS {
	t.Helper()
	dir := t.TempDir()
	n := &NATS{
		Addr: fmt.Sprintf("127.0.0.1:%d", FreePort(t)), t: t,
		program: GoTool(t, "nats-server", NATSServer), conf: filepath.Join(dir, "nats.conf"),
	}
	conf := fmt.Sprintf("server_name: test\nlisten: \"127.0.0.1:-1\"\nmax_payload: 8MB\n"+
		"jetstream { store_dir: %q, max_memory_store: 64MB, max_file_store: 256MB }\nmqtt { listen: %q }\n", dir, n.Addr)
	for _, line := range extra {
		conf += line + "\n"
	}
	if err := os.WriteFile(n.conf, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	n.Start()
	return n
}

// Start starts it again after [NATS.Stop], on the same port and data.
func (n *NATS) Start() {
	n.t.Helper()
	n.p = Start(n.t, n.program, "-c", n.conf)
	n.p.listens(n.Addr)
}

// Stop kills it.
func (n *NATS) Stop() {
	n.t.Helper()
	n.p.kill()
}
