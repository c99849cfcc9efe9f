package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// notRun are beginnings of documented commands that other tests run, or that change the
// machine: the demo and the tests by their own names, installation and systemd.
var notRun = []string{
	"go run . demo", "bash .ci/test", "go build", "sudo install", "sudo groupadd", "sudo systemctl", "sudo cp", "echo ", "journalctl",
}

// TestDocumentedCommands runs every command of the README and of the pages in docs, block
// by block, with a hub, cameras and an ESP32 board of the test in place of the reader's.
func TestDocumentedCommands(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```")
	ran := 0
	for _, page := range append(pages, "README.md") {
		for i, m := range block.FindAllStringSubmatch(string(read(t, page)), -1) {
			t.Run(fmt.Sprintf("%s %d", filepath.Base(page), i+1), func(t *testing.T) {
				r := newReader(t, m[1])
				for line := range strings.Lines(m[1]) {
					if line = strings.TrimSpace(line); line != "" && !hasPrefixOf(line, notRun) {
						r.run(line)
						ran++
					}
				}
			})
		}
	}
	if ran < 40 {
		t.Errorf("%d commands, want at least 40: the test does not find them", ran)
	}
}

func hasPrefixOf(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// reader follows one block of commands in a folder of its own.
type reader struct {
	t      *testing.T
	dir    string
	broker string              // host:port of plain MQTT
	edits  []*strings.Replacer // what the test puts in the place of the reader's words, in this order
}

// newReader prepares what a block presupposes: the files that it names, and a hub and
// cameras unless the block starts them itself.
func newReader(t *testing.T, block string) *reader {
	t.Helper()
	r := &reader{t: t, dir: t.TempDir()}
	port := func() string { return strconv.Itoa(testkit.FreePort(t)) }
	plain, secure, page := port(), port(), port()
	r.broker = "127.0.0.1:" + plain
	r.files(plain, secure, page)
	board := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(testkit.JPEG(t, 320, 240, 1, 20))
	}))
	t.Cleanup(board.Close)
	r.edits = append(r.edits, strings.NewReplacer(
		"mqtts://porch@HOST", "mqtts://porch@127.0.0.1:"+secure, "@HOST", "@"+r.broker, "mqtt://HOST", "mqtt://"+r.broker,
		"mosquitto_rr -N", "mosquitto_rr -N -p "+plain, "-h HOST -p 8883", "-h 127.0.0.1 -p "+secure, "USER@homeassistant.local", "front@"+r.broker,
		"127.0.0.1:1883", r.broker, "127.0.0.1:8080", "127.0.0.1:"+page,
		"192.168.1.21", strings.TrimPrefix(board.URL, "http://"), "MOTIONEYE:8081", strings.TrimPrefix(board.URL, "http://"),
		"127.0.0.1:1984", strings.TrimPrefix(board.URL, "http://"), "http://"+r.broker+"/?action=stream", board.URL+"/?action=stream",
		"v4l2:", "test:", "/etc/camqtt/", "", "/var/lib/camqtt-node", "kept", "sudo ", "",
		"ffplay -f mpjpeg -", "ffmpeg -nostdin -loglevel error -f mpjpeg -i - -frames:v 1 -y player.jpg",
		"camqtt demo", "camqtt demo --mqtt "+r.broker+" --http 127.0.0.1:"+page,
		"rpicam.yaml", "rpicam.yaml -c cameras.front.source=test: -c broker.listen=127.0.0.1:0",
		"push.yaml", "push.yaml -c broker.listen=127.0.0.1:0 -c dashboard.listen=127.0.0.1:0 -c push.listen=127.0.0.1:0 -c push.tcp=127.0.0.1:0",
		"0.0.0.0:8080", "127.0.0.1:0",
	))
	if strings.Contains(block, "camqtt run -c configs/hub.yaml") || strings.Contains(block, "camqtt demo") {
		return r
	}
	r.up("camqtt run -c hub.yaml", "broker up")
	r.accounts(block, secure)
	for _, id := range []string{"porch", "front"} {
		if regexp.MustCompile(`\b(snap|set|watch) `+id+`|cam/`+id+`/`).MatchString(block) && !strings.Contains(block, "--pin") {
			r.up("camqtt node "+id+" --source test: --broker mqtt://"+r.broker, "")
			online(t, "mqtt://"+r.broker, id)
		}
	}
	return r
}

// files copies the configurations, and writes those of the reader.
func (r *reader) files(plain, secure, page string) {
	r.t.Helper()
	if err := os.CopyFS(filepath.Join(r.dir, "configs"), os.DirFS("configs")); err != nil {
		r.t.Fatal(err)
	}
	hub := "broker:\n  listen: 127.0.0.1:" + plain + "\n  tls: {listen: '127.0.0.1:" + secure + "', names: [127.0.0.1]}\n  data: ./hub-data\n" +
		"dashboard:\n  listen: 127.0.0.1:" + page + "\n"
	open := strings.NewReplacer("0.0.0.0:1883", "127.0.0.1:"+plain, "0.0.0.0:8080", "127.0.0.1:"+page)
	for name, text := range map[string]string{
		"hub.yaml":         hub,
		"configs/hub.yaml": open.Replace(string(read(r.t, "configs/hub.yaml"))),
		"node.yaml":        "cameras:\n  - {id: front, source: 'test:'}\n",
	} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

// accounts makes the accounts that a block takes for granted.
func (r *reader) accounts(block, secure string) {
	r.t.Helper()
	var more []string
	for sign, line := range map[string]string{
		"-u ann":                  "camqtt user add ann --role viewer -c hub.yaml",
		"porch.token":             "camqtt user add porch --role camera -c hub.yaml > porch.token; chmod 600 porch.token",
		"--password-file mqtt-pa": "camqtt user add front --role camera -c hub.yaml > mqtt-password; chmod 600 mqtt-password",
		"user passwd admin":       "camqtt user add admin --role admin -c hub.yaml",
	} {
		if strings.Contains(block, sign) {
			if out := r.sh(line); sign == "-u ann" {
				more = append(more, "PASSWORD", out)
			}
		}
	}
	if strings.Contains(block, "--pin") {
		more = append(more, "sha256:9f86d081...", r.sh("camqtt key -c hub.yaml"), "-p "+secure, "-p "+secure+" --insecure")
	}
	if strings.Contains(block, "--join -") {
		more = append(more, "camqtt node --join -", "echo "+r.sh("camqtt user add --camera front -c hub.yaml")+" | camqtt node --join -")
	}
	r.edits = append(r.edits, strings.NewReplacer(more...))
}

// sh runs a line to its end, and returns what it prints.
func (r *reader) sh(line string) string {
	r.t.Helper()
	out, stderr, status := testkit.Run(r.t, "sh", "-c", r.script(line))
	if status != 0 {
		r.t.Fatalf("%s: exit %d\n%s%s", line, status, out, stderr)
	}
	return strings.TrimSpace(string(out))
}

// script is a line as it is typed in the reader's folder.
func (r *reader) script(line string) string {
	return "cd " + r.dir + "; export HOME=" + r.dir + " XDG_CONFIG_HOME=" + r.dir + "/config CAMQTT_BROKER=mqtt://" + r.broker +
		" PATH=" + filepath.Dir(binary) + ":$PATH; " + line
}

// up runs a line that goes on until the test ends, and waits until it says so.
func (r *reader) up(line, says string) {
	r.t.Helper()
	p := testkit.Start(r.t, "sh", "-c", r.script("exec "+line))
	testkit.Until(r.t, line+" says "+says, func() bool {
		if p.Ended() {
			r.t.Fatalf("%s has ended\n%s%s", line, p.Out(), p.Err())
		}
		return strings.Contains(p.Out()+p.Err(), says)
	})
}

// run does what one line of the documentation says.
func (r *reader) run(line string) {
	r.t.Helper()
	line = strings.TrimSpace(regexp.MustCompile(`\s#.*`).ReplaceAllString(line, ""))
	for _, e := range r.edits {
		line = e.Replace(line)
	}
	words := append(strings.Fields(line), "", "")
	switch {
	case words[1] == "run" && strings.Contains(line, "front.yaml"):
		r.up(line, "broker connected")
	case words[1] == "run" && words[0] == "camqtt":
		r.up(line, "broker up")
	case words[1] == "demo" && words[0] == "camqtt":
		r.up(line, "Ctrl-C")
		online(r.t, "mqtt://"+r.broker, "porch")
	case words[1] == "node" && words[0] == "camqtt" && !strings.Contains(line, "--join-only"):
		r.up(line, "")
		online(r.t, "mqtt://"+r.broker, regexp.MustCompile(`front|porch`).FindString(line+" front"))
	default:
		out := r.sh(line)
		if m := regexp.MustCompile(`(?m)^camjoin_\S+$`).FindString(out); m != "" && strings.Contains(line, "--camera front") {
			r.edits = append(r.edits, strings.NewReplacer("STRING", m))
		}
	}
}
