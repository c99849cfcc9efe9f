package e2e

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// told returns the commands of a section of the README, as arguments, without
// what the shell does with their output.
func told(t *testing.T, section string) (lines [][]string) {
	t.Helper()
	_, text, ok := strings.Cut(string(read(t, "README.md")), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("README has no section %q", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			words := strings.Fields(regexp.MustCompile(`[#>].*`).ReplaceAllString(line, ""))
			if len(words) < 2 || words[0] != "camqtt" {
				t.Fatalf("%s: %q is no command of ours", section, line)
			}
			lines = append(lines, words[1:])
		}
	}
	return lines
}

// firstAdmin waits until a program has made its admin and listens, and returns the
// password and the address to open in a browser.
func firstAdmin(t *testing.T, p *testkit.Program) (password, open string) {
	t.Helper()
	said := regexp.MustCompile(`(?s)user +admin\n +password +(\S+).*msg="dashboard listens" url=http://\S+:(\d+) open=(\S+)\n`)
	testkit.Until(t, "it says who may come in, and where", func() bool {
		m := said.FindStringSubmatch(p.Err())
		if m != nil {
			password, open = m[1], m[3]
			if open == `""` { // a machine without a network is open to itself
				open = "http://127.0.0.1:" + m[2]
			}
		}
		return m != nil
	})
	return password, open
}

// TestOnePi does what the README says for one machine, with another camera and
// other ports.
func TestOnePi(t *testing.T) {
	t.Parallel()
	lines := told(t, "One Raspberry Pi")
	if len(lines) != 1 || !strings.Contains(strings.Join(lines[0], " "), "dashboard.listen=0.0.0.0:8080") {
		t.Fatalf("commands %q", lines)
	}
	p := serve(t, append(lines[0], "-c", "cameras.front.source=test:", "-c", "dashboard.listen=0.0.0.0:0",
		"-c", "broker.listen=127.0.0.1:0", "-c", "broker.data="+t.TempDir())...)
	password, open := firstAdmin(t, p)
	if host := outside(); host != "" && !strings.HasPrefix(open, "http://"+host+":") {
		t.Errorf("the page is said to be at %s, want it at %s", open, host)
	}
	gives(t, open, "front", "admin", password)
	if got := answerOf(t, open+"/"); got != http.StatusUnauthorized {
		t.Errorf("without an account: %d", got)
	}
}

// TestHubAndCamera does what the README says for a hub and a camera elsewhere.
func TestHubAndCamera(t *testing.T) {
	t.Parallel()
	lines := told(t, "A hub, and cameras elsewhere")
	if len(lines) != 3 || lines[0][0] != "run" || lines[1][0] != "user" || lines[2][0] != "node" {
		t.Fatalf("commands %q", lines)
	}
	dir, port := t.TempDir(), strconv.Itoa(testkit.FreePort(t))
	data := []string{"-c", "broker.data=" + filepath.Join(dir, "data")}
	hub := serve(t, append(append(lines[0], data...), "-c", "broker.listen=0.0.0.0:"+port, "-c", "dashboard.listen=0.0.0.0:0")...)
	password, open := firstAdmin(t, hub)
	token := filepath.Join(dir, "front.token")
	if err := os.WriteFile(token, []byte(must(t, append(lines[1], data...)...)), 0o600); err != nil {
		t.Fatal(err)
	}
	host := outside()
	if host == "" {
		host = "127.0.0.1"
	}
	node := strings.NewReplacer("v4l2:", "test:", "HOST", net.JoinHostPort(host, port), "front.token", token)
	for i, word := range lines[2] {
		lines[2][i] = node.Replace(word)
	}
	serve(t, lines[2]...)
	online(t, "mqtt://admin:"+password+"@127.0.0.1:"+port, "front")
	gives(t, open, "front", "admin", password)
}

// A broker that does not answer is the commonest of all stumbles: what to look at
// is said.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	at := "mqtt://127.0.0.1:" + strconv.Itoa(testkit.FreePort(t))
	if _, stderr, code := camqtt(t, "ls", "--broker", at); code != 1 || !strings.Contains(stderr, "Try: ") || !strings.Contains(stderr, "broker.listen") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// TestSecondHubInOneFolder starts a hub, page and camera included, whose data folder
// another one uses: it ends and says so.
func TestSecondHubInOneFolder(t *testing.T) {
	args := []string{
		"run", "-c", "broker.listen=127.0.0.1:0", "-c", "dashboard.listen=127.0.0.1:0", "-c", "broker.data=" + t.TempDir(),
		"-c", "cameras.front.source=test:",
	}
	first := serve(t, args...)
	testkit.Until(t, "the first hub is up", func() bool { return strings.Contains(first.Err(), "broker up") })
	if _, stderr, status := camqtt(t, args...); status != 1 || !strings.Contains(stderr, "in use by another broker") {
		t.Errorf("exit %d: %s", status, stderr)
	}
}
