package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit"
)

// TestMosquittoClients asks for pictures with nothing but mosquitto's own
// programs, at the embedded broker and at a real mosquitto.
func TestMosquittoClients(t *testing.T) {
	t.Parallel()
	brokers := map[string]func(t *testing.T) (host, port, url string){
		"embedded": func(t *testing.T) (string, string, string) {
			d := startDemo(t)
			return d.host, d.port, d.mqtt
		},
		"mosquitto": func(t *testing.T) (string, string, string) {
			m := testkit.StartMosquitto(t)
			url := "mqtt://" + m.Addr
			serve(t, "node", "porch", "--source", "test:", "--broker", url)
			online(t, url, "porch")
			host, port, _ := strings.Cut(m.Addr, ":")
			return host, port, url
		},
	}
	for name, start := range brokers {
		t.Run(name, func(t *testing.T) {
			host, port, url := start(t)
			rr := func(args ...string) []byte {
				t.Helper()
				out, stderr, status := testkit.Run(t, testkit.Tool(t, "mosquitto_rr"),
					append([]string{"-h", host, "-p", port, "-N", "-t", "cam/porch/cmd"}, args...)...)
				if status != 0 {
					t.Fatalf("mosquitto_rr %v: exit %d %s", args, status, stderr)
				}
				return out
			}
			pic := rr("-e", "cam/porch/frame", "-m", "snap")
			decode(t, pic)
			if _, ok := jpeg.CaptureTime(pic); !ok {
				t.Error("the picture does not say when it was taken")
			}
			results := testkit.Start(t, testkit.Tool(t, "mosquitto_sub"), "-h", host, "-p", port, "-t", "cam/porch/result")
			for payload, want := range map[string]string{
				`{"cmd":"snap","id":"a1"}`: `"id":"a1","ok":true`, "dance": `"code":"unknown_command"`,
			} {
				testkit.Until(t, payload+" has its result", func() bool { // mosquitto_sub does not say when it is subscribed
					testkit.Run(t, testkit.Tool(t, "mosquitto_pub"), "-h", host, "-p", port, "-t", "cam/porch/cmd", "-m", payload)
					return strings.Contains(results.Out(), want)
				})
			}

			sub := testkit.Start(t, testkit.Tool(t, "mosquitto_sub"), "-h", host, "-p", port, "-t", "cam/porch/snapshot/meta", "-R", "-v")
			testkit.Until(t, "a snap is noticed", func() bool { // mosquitto_sub does not say when it is subscribed
				testkit.Run(t, testkit.Tool(t, "mosquitto_pub"), "-h", host, "-p", port, "-t", "cam/porch/cmd", "-m", "snap")
				return strings.Contains(sub.Out(), `"cause":"command"`)
			})
			if kept := sub0(t, host, port, "cam/porch/snapshot"); len(kept) == 0 {
				t.Error("the last snapshot is not kept by the broker")
			} else {
				decode(t, kept)
			}
			shows(t, url, regexp.MustCompile(`(?m)^porch .* 640x480 `)) // at most a second after the picture
		})
	}
}

// sub0 returns the first message on a topic.
func sub0(t *testing.T, host, port, topic string) []byte {
	t.Helper()
	out, _, _ := testkit.Run(t, testkit.Tool(t, "mosquitto_sub"), "-h", host, "-p", port, "-t", topic, "-C", "1", "-N", "-W", "60")
	return out
}

// TestFFmpegNode has ffmpeg decode a real video: its pictures are saved by
// snap and watch, whole.
func TestFFmpegNode(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	serve(t, "node", "clip", "--broker", d.mqtt, "--source", ffmpegSource(video(t)))
	online(t, d.mqtt, "clip")
	dir := t.TempDir()
	must(t, "snap", "clip", "--broker", d.mqtt, "-o", filepath.Join(dir, "clip.jpg"))
	if b := decode(t, read(t, filepath.Join(dir, "clip.jpg"))).Bounds(); b.Dx() != 640 {
		t.Errorf("picture of %v", b)
	}
	must(t, "watch", "clip", "--broker", d.mqtt, "-n", "20", "-o", dir)
	seen := map[string]bool{}
	for n := range 20 {
		jpg := read(t, filepath.Join(dir, fmt.Sprintf("clip-%06d.jpg", n+1)))
		decode(t, jpg)
		info, err := jpeg.Scan(jpg)
		if err != nil || info.Len != len(jpg) || !info.HasEXIF {
			t.Errorf("picture %d: %+v of %d bytes, %v", n+1, info, len(jpg), err)
		}
		seen[string(jpg)] = true
	}
	if len(seen) != 20 {
		t.Errorf("only %d of 20 pictures differ", len(seen))
	}

	stream := must(t, "watch", "clip", "--broker", d.mqtt, "-n", "3")
	split := jpeg.NewSplitter(bytes.NewReader([]byte(stream)), jpeg.SplitterOptions{})
	for n := range 3 {
		jpg, err := split.Next()
		if err != nil {
			t.Fatalf("part %d of the stream: %v", n+1, err)
		}
		decode(t, jpg)
	}
	out, stderr, status := testkit.Run(t, "sh", "-c",
		fmt.Sprintf("%s watch clip --broker %s -n 5 | %s -loglevel error -f mpjpeg -i - -f null - && echo played", binary, d.mqtt, testkit.Tool(t, "ffmpeg")))
	if status != 0 || !strings.Contains(string(out), "played") {
		t.Errorf("ffmpeg cannot play the stream: %s", stderr)
	}
}

// TestSources runs the other kinds of sources through a configuration file.
func TestSources(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	folder := t.TempDir()
	for n := range 3 {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.jpg", n)), testkit.JPEG(t, 160, 120, int64(n), 20), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	conf := filepath.Join(t.TempDir(), "node.yaml")
	text := fmt.Sprintf(`mqtt: {url: %s}
cameras:
  - id: folder
    source: dir:%s
    fps: 5
  - id: page
    source: %s/cam/porch/snapshot.jpg
  - id: stream
    source: %s/cam/porch/stream.mjpg
    rotate: 180
`, d.mqtt, folder, d.http, d.http)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := must(t, "check", "-c", conf); !strings.Contains(out, "id: folder") {
		t.Errorf("check says\n%s", out)
	}
	n := serve(t, "run", "-c", conf)
	for id, width := range map[string]int{"folder": 160, "page": 640, "stream": 640} {
		online(t, d.mqtt, id)
		file := filepath.Join(t.TempDir(), id+".jpg")
		must(t, "snap", id, "--broker", d.mqtt, "-o", file)
		if b := decode(t, read(t, file)).Bounds(); b.Dx() != width {
			t.Errorf("%s: picture of %v", id, b)
		}
	}
	must(t, "watch", "folder", "--broker", d.mqtt, "-n", "4", "-o", t.TempDir())
	interrupt(t, n)
}

func TestCommands(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	at := []string{"--broker", d.mqtt}
	if out := must(t, append(at, "start", "porch", "--for", "1m")...); !strings.HasPrefix(out, "ok") {
		t.Errorf("start: %s", out)
	}
	var list []struct {
		ID        string
		Streaming bool
		Viewers   int
		AgeMS     *int64 `json:"age_ms"`
	}
	testkit.Until(t, "ls shows the stream", func() bool {
		if err := json.Unmarshal([]byte(must(t, append(at, "ls", "--json")...)), &list); err != nil {
			t.Fatal(err)
		}
		return len(list) == 2 && list[1].ID == "porch" && list[1].Streaming && list[1].Viewers == 1 && list[1].AgeMS != nil
	})
	if out := must(t, append(at, "set", "porch", "fps=2", "name=Front door")...); out[:2] != "ok" {
		t.Errorf("set: %s", out)
	}
	shows(t, d.mqtt, regexp.MustCompile(`(?m)^porch +Front door `))
	if out := must(t, append(at, "stop", "porch")...); !strings.HasPrefix(out, "ok") {
		t.Errorf("stop: %s", out)
	}
	must(t, append(at, "set", "porch", "privacy=on")...)
	for _, c := range []struct {
		args   []string
		status int
		say    string
	}{
		{[]string{"snap", "porch"}, 1, "privacy"},
		{[]string{"snap", "nobody", "--timeout", "1s"}, 1, "no camera nobody on the broker; there is garden, porch"},
		{[]string{"snap", "No.body"}, 2, "want only a-z"},
		{[]string{"snap"}, 2, "which camera?"},
		{[]string{"snap", "porch", "--size", "big"}, 2, "WIDTHxHEIGHT"},
		{[]string{"start", "porch", "--fps", "-1"}, 2, "fps"},
		{[]string{"set", "porch", "colour=red"}, 2, "not a setting"},
		{[]string{"set", "porch", "fps"}, 2, "KEY=VALUE"},
		{[]string{"forget", "porch"}, 1, "is online"},
		{[]string{"dance"}, 2, "unknown command"},
		{[]string{"snpa"}, 2, "snap"},
		{[]string{"node", "attic"}, 2, "--source"},
		{[]string{"watch", "nobody", "-n", "1", "-o", "."}, 1, "no camera nobody"},
		{[]string{"stop", "nobody"}, 1, "no camera nobody"},
		{[]string{"snap", "porch", "-o", "."}, 2, "is a folder"},
		{[]string{"snap", "porch", "--max-age", "-1s"}, 2, "max-age"},
		{[]string{"snap", "porch", "--colour"}, 2, "unknown flag"},
		{[]string{"node", "porch", "--source", "teapot:"}, 2, "teapot"},
		{[]string{"node", "a+b", "--source", "test:"}, 2, "want only a-z"},
		{[]string{"run"}, 2, "broker"},
	} {
		args := c.args
		if args[0] != "run" && args[0] != "dance" && args[0] != "snpa" {
			args = append(args, at...)
		}
		if _, stderr, status := camqtt(t, args...); status != c.status || !strings.Contains(stderr, c.say) {
			t.Errorf("camqtt %v: exit %d, want %d and a word on %q:\n%s", c.args, status, c.status, c.say, stderr)
		}
	}
	nobody := fmt.Sprintf("mqtt://127.0.0.1:%d", testkit.FreePort(t))
	if _, stderr, status := camqtt(t, "ls", "--broker", nobody); status != 1 || !strings.Contains(stderr, "refused") {
		t.Errorf("no broker: exit %d\n%s", status, stderr)
	}
	if out := must(t, "version"); !strings.HasPrefix(out, "camqtt ") || !strings.Contains(out, "go1.") {
		t.Errorf("version: %s", out)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	m := testkit.StartMosquitto(t)
	url := "mqtt://" + m.Addr
	n := serve(t, "node", "porch", "--source", "test:", "--broker", url)
	online(t, url, "porch")
	must(t, "snap", "porch", "--broker", url, "-o", filepath.Join(t.TempDir(), "p.jpg"))
	p := place{addr: m.Addr}
	retained := func() string {
		var all []string
		for _, filter := range []string{"cam/#", "homeassistant/#"} {
			for topic := range p.kept(t, filter) {
				all = append(all, topic+"\n")
			}
		}
		return strings.Join(all, "")
	}
	testkit.Until(t, "all is retained", func() bool {
		kept := retained()
		for _, topic := range []string{"porch/status", "porch/info", "porch/state", "porch/preview", "porch/snapshot\n", "porch/snapshot/meta", "homeassistant/device/camqtt_porch/config"} {
			if !strings.Contains(kept, topic) {
				return false
			}
		}
		return true
	})
	interrupt(t, n)
	must(t, "forget", "porch", "--broker", url)
	if kept := retained(); kept != "" {
		t.Errorf("after forget the broker still keeps\n%s", kept)
	}
}

// TestSecondNode starts two nodes of one id: one serves, and both say so.
func TestSecondNode(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	second := serve(t, "node", "porch", "--broker", d.mqtt, "--source", "test:")
	testkit.Until(t, "the second node stands by", func() bool { return strings.Contains(second.Err(), "stands by") })
	testkit.Until(t, "ls shows the trouble", func() bool {
		return strings.Contains(must(t, "ls", "--broker", d.mqtt), "another node with the id porch")
	})
	began := time.Now()
	for range 10 {
		must(t, "snap", "porch", "--broker", d.mqtt, "-o", filepath.Join(t.TempDir(), "p.jpg"))
	}
	if n := strings.Count(second.Err(), "connected"); n != 1 {
		t.Errorf("the second node connected %d times in %s: the two fight", n, time.Since(began))
	}
}
