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

func TestDemo(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	for _, want := range []string{"snap porch --broker " + d.mqtt, "mosquitto_pub -h 127.0.0.1 -p " + d.port, "Ctrl-C ends it"} {
		if !strings.Contains(d.Out(), want) {
			t.Errorf("the demo does not say %q:\n%s", want, d.Out())
		}
	}
	file := filepath.Join(t.TempDir(), "porch.jpg")
	if _, stderr, status := camqtt(t, "snap", "porch", "--broker", d.mqtt, "-o", file); status != 0 || !strings.Contains(stderr, "640x480") || !strings.Contains(stderr, " ms") {
		t.Fatalf("snap: exit %d, %s", status, stderr)
	}
	if b := decode(t, read(t, file)).Bounds(); b.Dx() != 640 || b.Dy() != 480 {
		t.Errorf("picture of %v", b)
	}

	sub := testkit.Start(t, testkit.Tool(t, "mosquitto_sub"), "-h", d.host, "-p", d.port, "-t", "cam/+/status", "-v")
	testkit.Until(t, "both are online", func() bool {
		return strings.Contains(sub.Out(), "cam/porch/status online") && strings.Contains(sub.Out(), "cam/garden/status online")
	})
	interrupt(t, d.Program)
	testkit.Until(t, "both cameras have said offline", func() bool {
		return strings.Contains(sub.Out(), "cam/porch/status offline") && strings.Contains(sub.Out(), "cam/garden/status offline")
	})
	if d.Err() != "" {
		t.Errorf("the demo complained:\n%s", d.Err())
	}
}

// TestTakenPort occupies one of the two ports: the message names the flag that
// moves it, and the other port is not left open.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := "127.0.0.1:" + strconv.Itoa(testkit.FreePort(t))
	for name, c := range map[string]struct {
		args []string
		flag string
	}{
		"page":   {[]string{"demo", "--http", taken.Addr().String(), "--mqtt", free}, "--http"},
		"broker": {[]string{"demo", "--mqtt", taken.Addr().String(), "--http", free}, "--mqtt"},
	} {
		out, stderr, status := camqtt(t, c.args...)
		if status != 1 || len(out) != 0 || !strings.Contains(stderr, taken.Addr().String()) ||
			!strings.Contains(stderr, "taken") || !strings.Contains(stderr, "Try: ") || !strings.Contains(stderr, c.flag) {
			t.Errorf("%s: exit %d, said\n%s%s", name, status, out, stderr)
		}
	}
}

// TestStopLeavesNothing stops a program that drives a child, and looks for the
// child.
func TestStopLeavesNothing(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	n := serve(t, "node", "clip", "--broker", d.mqtt, "--source", ffmpegSource(video(t)))
	online(t, d.mqtt, "clip")
	must(t, "start", "clip", "--broker", d.mqtt)
	children := func() []string {
		pid := strconv.Itoa(n.Cmd.Process.Pid)
		tasks, _ := filepath.Glob("/proc/" + pid + "/task/*/children")
		var all []string
		for _, path := range tasks {
			b, _ := os.ReadFile(path) // a thread may have gone
			all = append(all, strings.Fields(string(b))...)
		}
		return all
	}
	kids := children()
	if len(kids) == 0 {
		t.Fatal("the node has no child while it streams")
	}
	interrupt(t, n)
	for _, pid := range kids {
		if b, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(b), ") Z") {
			t.Errorf("child %s is still there: %s", pid, b)
		}
	}
}
