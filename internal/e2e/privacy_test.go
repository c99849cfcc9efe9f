package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/homeassistant"
	"camqtt/internal/wire"
)

// ears hear what cameras say now, and not what the broker has kept.
type ears struct {
	mu   sync.Mutex
	said []wire.Message
	rung chan struct{} // after each message
}

func listenTo(t testing.TB, addr, filter string) (*ears, *testkit.MQTT) {
	t.Helper()
	e := &ears{rung: make(chan struct{}, 1)}
	c := testkit.DialMQTT(t, testkit.MQTTOptions{Addr: addr, ID: "ears", Receive: func(m wire.Message) {
		if m.Retained {
			return
		}
		e.mu.Lock()
		e.said = append(e.said, m)
		e.mu.Unlock()
		select {
		case e.rung <- struct{}{}:
		default:
		}
	}})
	if _, err := c.Subscribe(1, filter); err != nil {
		t.Fatal(err)
	}
	return e, c
}

// heard returns what was said on a topic since the last clear.
func (e *ears) heard(topic string) (all []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.said {
		if m.Topic == topic {
			all = append(all, string(m.Payload))
		}
	}
	return all
}

func (e *ears) clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.said = nil
}

// pictures counts those of one camera.
func (e *ears) pictures(id string) (n int) {
	for _, kind := range []string{"frame", "preview", "snapshot"} {
		for _, payload := range e.heard("cam/" + id + "/" + kind) {
			if len(payload) > 0 { // else it says that there is none
				n++
			}
		}
	}
	return n
}

// firstState is the first that a camera says of itself.
func (e *ears) firstState(t testing.TB, id string) (s wire.State) {
	t.Helper()
	testkit.Until(t, id+" says its state", func() bool { return len(e.heard("cam/"+id+"/state")) > 0 })
	if err := json.Unmarshal([]byte(e.heard("cam/" + id + "/state")[0]), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// killed ends a program as a power cut does.
func killed(t testing.TB, p *testkit.Program) {
	t.Helper()
	p.Signal(syscall.SIGKILL)
	p.Wait()
}

// TestPrivacySurvivesKill kills a bridge of several cameras: those that were private
// are when it starts again, before they say anything, and nothing gets a picture of
// them: no schedule, no command, no board. The others are as they were.
func TestPrivacySurvivesKill(t *testing.T) {
	t.Parallel()
	m := testkit.StartMosquitto(t)
	w := newWorker(t, "echo $$ >> pids\nwhile cat pic.jpg; do sleep 0.05; done")
	boards := "127.0.0.1:" + strconv.Itoa(testkit.FreePort(t))
	state := filepath.Join(t.TempDir(), "made", "by", "it")
	args := []string{"run"}
	for _, kv := range []string{
		"mqtt.url=mqtt://" + m.Addr, "state=" + state, "push.listen=" + boards,
		"cameras.bed.source=" + w.source, "cameras.bed.snap_every=1s", "cameras.bed.keep_warm=1h",
		"cameras.bell.source=push", "cameras.bell.push_token=change-me-please", "cameras.hall.source=test:", "cameras.hall.snap_every=1s",
	} {
		args = append(args, "-c", kv)
	}
	at := []string{"--broker", "mqtt://" + m.Addr}
	cmd := func(args ...string) string { t.Helper(); return must(t, append(args, at...)...) }
	post := func() int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+boards+"/push/bell", bytes.NewReader(testkit.JPEG(t, 64, 48, 1, 0)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Token", "change-me-please")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	p := serve(t, args...)
	online(t, at[1], "bed")
	online(t, at[1], "bell")
	testkit.Until(t, "the board's picture is taken", func() bool { return post() == http.StatusOK })
	for _, id := range []string{"bed", "bell"} {
		if out := cmd("set", id, "privacy=on"); !strings.Contains(out, "privacy set") || strings.Contains(out, "restart") {
			t.Errorf("set %s: %s", id, out)
		}
	}
	killed(t, p)
	broker := place{addr: m.Addr}
	testkit.Until(t, "the camera is offline", func() bool {
		return broker.kept(t, "cam/bed/status")["cam/bed/status"] == wire.Offline
	})
	cmd("forget", "bed") // what the broker keeps is not what the camera remembers
	opened := len(w.pids())

	e, _ := listenTo(t, m.Addr, "cam/#")
	p = serve(t, args...)
	for id, want := range map[string]bool{"bed": true, "bell": true, "hall": false} {
		if s := e.firstState(t, id); s.Privacy != want || s.Error != nil || s.Warning != "" {
			t.Errorf("first state of %s: %+v, want privacy %v", id, s, want)
		}
	}
	testkit.Until(t, "two scheduled snapshots of another camera", func() bool { return len(e.heard("cam/hall/snapshot")) > 1 })
	for _, order := range [][]string{{"snap", "bed", "-o", "-"}, {"snap", "bed", "--max-age", "1h", "-o", "-"}, {"start", "bed"}, {"snap", "bell", "-o", "-"}} {
		if _, stderr, status := camqtt(t, append(order, at...)...); status != 1 || !strings.Contains(stderr, "privacy") {
			t.Errorf("%v: exit %d, %s", order, status, stderr)
		}
	}
	if got := post(); got != http.StatusServiceUnavailable {
		t.Errorf("the board is told %d", got)
	}
	if n := e.pictures("bed") + e.pictures("bell"); n > 0 || len(w.pids()) != opened {
		t.Errorf("%d pictures of private cameras, whose program ran %d times", n, len(w.pids())-opened)
	}

	cmd("set", "bed", "privacy=off")
	killed(t, p)
	e.clear()
	serve(t, args...)
	if s := e.firstState(t, "bed"); s.Privacy {
		t.Errorf("switched off before the restart, but %+v", s)
	}
	if s := e.firstState(t, "bell"); !s.Privacy {
		t.Errorf("another camera's privacy was switched off: %+v", s)
	}
}

// TestKilledAtAnyMoment kills a node while privacy is being switched on or off. What it
// has acknowledged is true after the next start; where it had no time for that, either.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	m := testkit.StartMosquitto(t)
	e, c := listenTo(t, m.Addr, "cam/bed/#")
	state := t.TempDir()
	node := func() *testkit.Program {
		return serve(t, "node", "bed", "--state", state, "--source", "test:", "--broker", "mqtt://"+m.Addr)
	}
	truth, acknowledged, cut := false, 0, 0
	for round := range 24 {
		e.clear()
		p := node()
		before := e.firstState(t, "bed").Privacy
		if round > 0 && before != truth {
			t.Fatalf("round %d: privacy is %v, and was acknowledged to be %v", round, before, truth)
		}
		want := !before
		word, answer := "off", func() bool { return len(e.heard("cam/bed/result")) > 0 }
		if want {
			word = "on"
		}
		if err := c.Publish(wire.Message{Topic: "cam/bed/set/privacy", Payload: []byte(word), QoS: 1}); err != nil {
			t.Fatal(err)
		}
		moment := time.NewTimer([]time.Duration{0, time.Duration(rand.N(40_000_000)), time.Minute}[round%3])
		for waiting := true; waiting && !answer(); {
			select {
			case <-e.rung:
			case <-moment.C:
				waiting = false
			}
		}
		killed(t, p)
		testkit.Until(t, "all that it has said is heard", func() bool { return slices.Contains(e.heard("cam/bed/status"), wire.Offline) })
		truth = want
		if !answer() { // it may be either: the next start says which
			cut++
			e.clear()
			p = node()
			truth = e.firstState(t, "bed").Privacy
			killed(t, p)
			continue
		}
		acknowledged++
	}
	if acknowledged < 8 {
		t.Errorf("only %d acknowledged, %d cut off", acknowledged, cut)
	}
	t.Logf("%d acknowledged, %d cut off", acknowledged, cut)
	left, err := filepath.Glob(filepath.Join(state, "*"))
	if err != nil || len(left) > 6 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

// TestPrivacyIsSeenAfterRestart looks at the page, its pictures and Home Assistant
// after everything has been killed.
func TestPrivacyIsSeenAfterRestart(t *testing.T) {
	t.Parallel()
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+t.TempDir(), "state="+t.TempDir(), "cameras.porch.source=test:", "cameras.bed.source=test:")
	online(t, h.mqtt, "bed")
	must(t, "snap", "bed", "--broker", h.mqtt, "-o", filepath.Join(t.TempDir(), "bed.jpg"))
	must(t, "set", "bed", "privacy=on", "--broker", h.mqtt)
	h.kill()
	h.start()
	online(t, h.mqtt, "bed")
	home := homeassistant.Start(t, homeassistant.Options{Addr: strings.TrimPrefix(h.mqtt, "mqtt://")})
	home.Await("switch.bed_privacy", "on")
	home.Await("switch.porch_privacy", "off")
	gives(t, h.http, "porch")
	testkit.Until(t, "the page knows the private camera", func() bool {
		return answerOf(t, h.http+"/cam/bed/snapshot.jpg") != http.StatusNotFound
	})
	for path, want := range map[string]int{"bed/snapshot.jpg": http.StatusForbidden, "bed/snapshot.jpg?max_age=1h": http.StatusForbidden, "bed/stream.mjpg": http.StatusForbidden, "porch/snapshot.jpg": http.StatusOK} {
		if got := answerOf(t, h.http+"/cam/"+path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	b := testkit.OpenBrowser(t, h.http+"/", 0, 0)
	b.Wait(`document.querySelector('cam-tile[data-id=bed]')?.dataset.state === 'privacy'`)
	b.Wait(frames + ` > 3`)
	home.TurnOff("switch.bed_privacy")
	home.Await("switch.bed_privacy", "off")
	b.Wait(`document.querySelector('cam-tile[data-id=bed]')?.dataset.state === 'live'`)
}

// TestNowhereToRemember: where nothing says what folder to keep anything in, and where
// the folder cannot be one, privacy works all the same, and people are told what it is
// worth.
func TestNowhereToRemember(t *testing.T) {
	t.Parallel()
	m := testkit.StartMosquitto(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for id, env := range map[string][]string{
		"homeless": {"-u", "HOME", "-u", "XDG_CONFIG_HOME", "-u", "STATE_DIRECTORY"},
		"blocked":  {"STATE_DIRECTORY=" + filepath.Join(file, "state")},
	} {
		testkit.Start(t, "env", append(env, binary, "node", id, "--source", "test:", "--broker", "mqtt://"+m.Addr)...)
		online(t, "mqtt://"+m.Addr, id)
		at := []string{"--broker", "mqtt://" + m.Addr}
		out := must(t, append(at, "set", id, "privacy=on")...)
		if !strings.HasPrefix(out, "ok") || !strings.Contains(out, "will not survive a restart") || !strings.Contains(out, "--state") {
			t.Errorf("%s: %s", id, out)
		}
		if _, stderr, status := camqtt(t, append(at, "snap", id, "-o", "-")...); status != 1 || !strings.Contains(stderr, "privacy") {
			t.Errorf("%s: snap: exit %d, %s", id, status, stderr)
		}
		testkit.Until(t, "the state warns", func() bool {
			var all []struct {
				ID      string
				Privacy bool
				Warning string
			}
			err := json.Unmarshal([]byte(must(t, append(at, "ls", "--json")...)), &all)
			for _, c := range all {
				if c.ID == id && c.Privacy && strings.Contains(c.Warning, "will not survive a restart") {
					return true
				}
			}
			return err != nil
		})
		if out := must(t, append(at, "set", id, "privacy=off")...); !strings.HasPrefix(out, "ok") || strings.Contains(out, "restart") {
			t.Errorf("%s: off: %s", id, out)
		}
	}
}

// TestDamagedMemory: a file that nobody can make sense of keeps the camera private, and
// the log and the state name it.
func TestDamagedMemory(t *testing.T) {
	t.Parallel()
	m := testkit.StartMosquitto(t)
	e, _ := listenTo(t, m.Addr, "cam/bed/#")
	state := t.TempDir()
	file := filepath.Join(state, "bed.private")
	if err := os.WriteFile(file, []byte("\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serve(t, "node", "bed", "--state", state, "--source", "test:", "--broker", "mqtt://"+m.Addr)
	s := e.firstState(t, "bed")
	if !s.Privacy || s.Error == nil || s.Error.Code != wire.Config || !strings.Contains(s.Error.Text, file) || !strings.Contains(s.Error.Text, "Try: ") {
		t.Errorf("state %+v, %+v", s, s.Error)
	}
	if !strings.Contains(p.Err(), file) {
		t.Errorf("the log does not name %s:\n%s", file, p.Err())
	}
	if out := must(t, "set", "bed", "privacy=off", "--broker", "mqtt://"+m.Addr); !strings.HasPrefix(out, "ok") {
		t.Error(out)
	}
	if _, err := os.Lstat(file); err == nil {
		t.Error("the file is still there")
	}
}

// TestDemoRemembersNothing: the demo leaves nothing behind.
func TestDemoRemembersNothing(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	port := strconv.Itoa(testkit.FreePort(t))
	p := testkit.Start(t, "env", "STATE_DIRECTORY="+state, "HOME="+state, binary, "demo", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:"+port)
	broker := "mqtt://127.0.0.1:" + port
	testkit.Until(t, "the demo listens", func() bool { return listens("127.0.0.1:" + port) })
	online(t, broker, "porch")
	if out := must(t, "set", "porch", "privacy=on", "--broker", broker); strings.Contains(out, "restart") {
		t.Errorf("the demo warns of what it is for: %s", out)
	}
	interrupt(t, p)
	if left, err := os.ReadDir(state); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestTwoBridgesOneFolder: two bridges of one user, with cameras of different names,
// keep out of each other's way.
func TestTwoBridgesOneFolder(t *testing.T) {
	t.Parallel()
	m := testkit.StartMosquitto(t)
	state := t.TempDir()
	at := "mqtt://" + m.Addr
	var all []*testkit.Program
	start := func() {
		all = nil
		for _, name := range []string{"a", "b"} {
			args := []string{"run", "-c", "mqtt.url=" + at, "-c", "state=" + state}
			for i := range 3 {
				args = append(args, "-c", fmt.Sprintf("cameras.%s%d.source=test:", name, i))
			}
			all = append(all, serve(t, args...))
		}
	}
	start()
	on := []string{"a0", "a1", "b1"}
	for _, id := range on {
		online(t, at, id)
		must(t, "set", id, "privacy=on", "--broker", at)
	}
	must(t, "set", "a0", "privacy=off", "--broker", at)
	for _, p := range all {
		killed(t, p)
	}
	e, _ := listenTo(t, m.Addr, "cam/+/state")
	start()
	for _, id := range []string{"a0", "a1", "a2", "b0", "b1", "b2"} {
		if got, want := e.firstState(t, id).Privacy, slices.Contains(on[1:], id); got != want {
			t.Errorf("%s: privacy %v, want %v", id, got, want)
		}
	}
}
