package e2e

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
)

// binary is the program, built once for all tests that run it.
var binary string

// TestMain runs the tests in the root of the module, where their paths begin.
func TestMain(m *testing.M) {
	plainSurroundings()
	os.Exit(func() int {
		if err := os.Chdir("../.."); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		dir, err := os.MkdirTemp("", "camqtt-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		// What cameras remember must not get into the home of who runs the tests.
		if err := os.Setenv("XDG_CONFIG_HOME", dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		binary = filepath.Join(dir, "camqtt")
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build camqtt: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// plainSurroundings takes away what this machine, its user or what runs the tests may
// say to programs: our own variables, those by which a service manager speaks to its
// services, a proxy on the way to loopback, which some programs would use, and a mask by
// which files that a test opens to everybody would not be.
func plainSurroundings() {
	syscall.Umask(0o022)
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY":
			os.Unsetenv(name)
		case "NO_PROXY", "no_proxy":
			os.Setenv(name, os.Getenv(name)+",localhost,127.0.0.1,::1")
		}
		if strings.HasPrefix(name, "CAMQTT_") {
			os.Unsetenv(name)
		}
	}
	if os.Getenv("no_proxy") == "" { // curl(1): this comes before NO_PROXY
		os.Setenv("no_proxy", "localhost,127.0.0.1,::1")
	}
}

// demo is a running camqtt demo.
type demo struct {
	*testkit.Program
	http, mqtt string // URLs
	host, port string // of the broker
}

var (
	pageLine   = regexp.MustCompile(`page +(http://\S+)`)
	brokerLine = regexp.MustCompile(`broker +(mqtt://(\S+):(\d+))`)
)

// startDemo runs the demo on free ports.
func startDemo(t testing.TB) *demo {
	t.Helper()
	d := &demo{Program: testkit.Start(t, binary, "demo", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")}
	testkit.Until(t, "the demo says where it is", func() bool { return strings.Contains(d.Out(), "Ctrl-C") })
	d.http = pageLine.FindStringSubmatch(d.Out())[1]
	m := brokerLine.FindStringSubmatch(d.Out())
	d.mqtt, d.host, d.port = m[1], m[2], m[3]
	for _, id := range []string{"garden", "porch"} {
		online(t, d.mqtt, id)
	}
	return d
}

// camqtt runs a command of the program to its end.
func camqtt(t testing.TB, args ...string) (stdout []byte, stderr string, status int) {
	t.Helper()
	return testkit.Run(t, binary, args...)
}

// must is camqtt for commands that have to succeed.
func must(t testing.TB, args ...string) string {
	t.Helper()
	out, stderr, status := camqtt(t, args...)
	if status != 0 {
		t.Fatalf("camqtt %v: exit %d\n%s", args, status, stderr)
	}
	return string(out)
}

// serve runs the program in the background until the test ends.
func serve(t testing.TB, args ...string) *testkit.Program {
	t.Helper()
	return testkit.Start(t, binary, args...)
}

// listens reports whether somebody listens.
func listens(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// online waits until a camera answers; flags say how to come to the broker.
func online(t testing.TB, broker, id string, flags ...string) {
	t.Helper()
	shows(t, broker, regexp.MustCompile(`(?m)^`+id+` .*online`), flags...)
}

// shows waits until ls lists what matches, and returns all that it says. How long it
// waits for answers is no promise that they have come.
func shows(t testing.TB, broker string, line *regexp.Regexp, flags ...string) string {
	t.Helper()
	var out []byte
	testkit.Until(t, "ls shows "+line.String(), func() bool {
		out, _, _ = camqtt(t, append([]string{"ls", "--broker", broker, "--wait", "200ms"}, flags...)...)
		return line.Match(out)
	})
	return string(out)
}

// decode checks that a picture is whole by decoding every pixel.
func decode(t testing.TB, jpg []byte) image.Image {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(jpg))
	if err != nil {
		t.Fatalf("picture of %d bytes: %v", len(jpg), err)
	}
	return img
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// video makes a short clip whose pictures can be told apart.
func video(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.mp4")
	_, stderr, status := testkit.Run(t, testkit.Tool(t, "ffmpeg"), "-nostdin", "-loglevel", "error",
		"-f", "lavfi", "-i", "testsrc2=size=640x480:rate=10", "-t", "5", "-c:v", "mpeg4", "-q:v", "3", path)
	if status != 0 {
		t.Fatal(stderr)
	}
	return path
}

// ffmpegSource is an exec: source that plays a clip for ever at its own speed.
func ffmpegSource(clip string) string {
	return "exec:ffmpeg -nostdin -hide_banner -loglevel error -re -stream_loop -1 -i " + clip +
		" -an -c:v mjpeg -q:v 5 -pix_fmt yuvj420p -f mpjpeg -"
}

// interrupt is Ctrl-C.
func interrupt(t testing.TB, p *testkit.Program) {
	t.Helper()
	p.Signal(syscall.SIGINT)
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d after Ctrl-C\n%s", status, p.Err())
	}
}

// hub is a running camqtt run with a dashboard.
type hub struct {
	http, mqtt string // URLs; mqtt only with an embedded broker

	t    testing.TB
	args []string
	p    *testkit.Program
}

// startHub runs a configuration of key=value pairs with a dashboard.
func startHub(t testing.TB, pairs ...string) *hub {
	t.Helper()
	return startHubAt(t, "127.0.0.1:"+strconv.Itoa(testkit.FreePort(t)), pairs...)
}

// startHubAt is startHub with the dashboard's address.
func startHubAt(t testing.TB, listen string, pairs ...string) *hub {
	t.Helper()
	h := &hub{t: t}
	h.http = "http://" + listen
	for _, kv := range append(pairs, "dashboard.listen="+listen) {
		if kv == "broker.listen=127.0.0.1:0" { // the same port again after a restart
			kv = "broker.listen=127.0.0.1:" + strconv.Itoa(testkit.FreePort(t))
			h.mqtt = "mqtt://" + strings.TrimPrefix(kv, "broker.listen=")
		}
		h.args = append(h.args, "-c", kv)
	}
	h.start()
	return h
}

func (h *hub) start() {
	h.t.Helper()
	h.p = testkit.Start(h.t, binary, append([]string{"run"}, h.args...)...)
	defer func() {
		if h.t.Failed() {
			h.t.Log(h.p.Err())
		}
	}()
	testkit.Until(h.t, "the dashboard is ready", func() bool {
		if h.p.Ended() {
			h.t.Fatalf("camqtt run ended by itself\n%s", h.p.Err())
		}
		r, err := http.Get(h.http + "/readyz")
		if err == nil {
			r.Body.Close()
		}
		// One that asks for an account serves; whether it is ready it tells those who have one.
		return err == nil && (r.StatusCode == http.StatusOK || r.StatusCode == http.StatusUnauthorized)
	})
}

func (h *hub) kill() {
	h.t.Helper()
	h.p.Signal(syscall.SIGKILL)
	h.p.Wait()
}

// testContext is a context that outlives t.Context, for what cleanups stop.
func testContext(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(context.Background())
}

// connected runs a link until the test ends, and returns when it is up.
func connected(t testing.TB, o mqttclient.Options) *mqttclient.Link {
	t.Helper()
	l, err := mqttclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Serve(t, l)
	within, enough := context.WithTimeout(t.Context(), testkit.Patience)
	defer enough()
	if err := l.Await(within); err != nil {
		t.Fatal(err)
	}
	return l
}
