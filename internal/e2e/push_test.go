package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// TestPushExample runs the example for boards that send, with free ports and the
// addresses of this machine, and is the boards, with curl and a plain connection.
func TestPushExample(t *testing.T) {
	t.Parallel()
	curl := testkit.Tool(t, "curl")
	free := func() string { return "127.0.0.1:" + strconv.Itoa(testkit.FreePort(t)) }
	mqtt, page, http, tcp := free(), free(), free(), free()
	p := serve(t, "run", "-c", "configs/push.yaml", "-c", "broker.listen="+mqtt, "-c", "broker.data=", "-c", "dashboard.listen="+page,
		"-c", "push.listen="+http, "-c", "push.tcp="+tcp, "-c", "cameras.meter.push_from=127.0.0.1", "-c", "cameras.bell.push_from=", "-c", "cameras.bell.push_token=change-me-please", "-c", "cameras.gate.push_from=127.0.0.2")
	testkit.Until(t, "the bridge listens", func() bool { return listens(mqtt) && listens(http) && listens(tcp) })
	broker := "mqtt://" + mqtt
	online(t, broker, "meter")
	shows(t, broker, regexp.MustCompile(`(?m)^bell .* sleeping `))
	dir := t.TempDir()
	pictures := map[string][]byte{}
	for i, id := range []string{"bell", "meter", "gate"} {
		pictures[id] = testkit.JPEG(t, 64+16*i, 48, int64(i), 0)
		if err := os.WriteFile(filepath.Join(dir, id), pictures[id], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	send := func(args ...string) {
		t.Helper()
		out, stderr, status := testkit.Run(t, curl, append([]string{"-sS", "--fail-with-body"}, args...)...)
		if status != 0 || string(out) != "ok\n" {
			t.Fatalf("curl %q: exit %d, %s%s", args, status, out, stderr)
		}
	}
	taken := func(id string) int {
		t.Helper()
		file := filepath.Join(dir, id+".jpg")
		must(t, "snap", id, "--broker", broker, "--max-age", "10m", "-o", file)
		return decode(t, read(t, file)).Bounds().Dx()
	}

	host, port, _ := net.SplitHostPort(mqtt)
	ring := testkit.Start(t, testkit.Tool(t, "mosquitto_sub"), "-h", host, "-p", port, "-t", "cam/bell/snapshot", "-t", "cam/bell/snapshot/meta",
		"-t", "cam/bell/status", "-F", "%t %l %r")
	testkit.Until(t, "mosquitto_sub hears that the doorbell sleeps", func() bool { return strings.Contains(ring.Out(), "cam/bell/status 8 1\n") })
	send("-H", "X-Token: change-me-please", "-F", "imageFile=@"+filepath.Join(dir, "bell"), "http://"+http+"/push/bell")
	testkit.Until(t, "the picture of the doorbell is a snapshot at once, and the doorbell awake", func() bool {
		return strings.Contains(ring.Out(), "cam/bell/snapshot/meta ") && strings.Contains(ring.Out(), "cam/bell/snapshot ") && strings.Contains(ring.Out(), "cam/bell/status 6 0\n")
	})
	if _, stderr, code := camqtt(t, "snap", "meter", "--broker", broker, "--timeout", "300ms", "-o", filepath.Join(dir, "x.jpg")); code != 1 || !strings.Contains(stderr, "sends when it likes; or --max-age") {
		t.Errorf("a snap of a board that has sent nothing: exit %d, %s", code, stderr)
	}
	send("--data-binary", "@"+filepath.Join(dir, "meter"), "http://"+http+"/upload.php")
	if w := taken("meter"); w != 80 {
		t.Errorf("the picture of the meter is %d wide, want 80", w)
	}
	if w := taken("bell"); w != 64 {
		t.Errorf("the picture of the doorbell is %d wide, want 64", w)
	}
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(pictures["gate"]); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var answer [3]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil || !bytes.Equal(answer[:], []byte("ok\n")) {
		t.Fatalf("answer %q, %v", answer, err)
	}
	if w := taken("gate"); w != 96 {
		t.Errorf("the picture of the gate is %d wide, want 96", w)
	}
	if out, _, _ := testkit.Run(t, curl, "-sS", "--data-binary", "no picture", "http://"+http+"/push/meter"); !strings.Contains(string(out), "not exactly one JPEG") {
		t.Errorf("what is no picture is answered with %q", out)
	}
	if m, _, _ := testkit.Run(t, curl, "-sS", "http://"+page+"/metrics"); !strings.Contains(string(m), "camqtt_push_refused_request_total 1\n") {
		t.Errorf("the refused picture is not counted:\n%s", m)
	}
	if out := must(t, "check", "-c", "configs/push.yaml", "-c", "cameras.bell.push_token=change-me-please"); strings.Contains(out, "change-me") || !strings.Contains(out, "push_token: '***'") {
		t.Errorf("check shows the token:\n%s", out)
	}
	interrupt(t, p)
	if said := fmt.Sprint(p.Out(), p.Err()); strings.Contains(said, "change-me") {
		t.Errorf("the log tells the token:\n%s", said)
	}
}
