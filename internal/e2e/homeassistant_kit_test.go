package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/homeassistant"
	"camqtt/internal/wire"
)

// place is a broker that Home Assistant and cameras meet at.
type place struct {
	addr           string // host:port
	stop           func()
	back           func()
	user, password string // for whoever looks, where that takes an account
}

func (p *place) url() string { return "mqtt://" + p.addr }

// embedded is camqtt's own broker, which has said that it announces the cameras: one
// that comes before that announces itself, and is put right.
func embedded(t *testing.T, more ...string) *place {
	t.Helper()
	h := startHub(t, append([]string{"broker.listen=127.0.0.1:0", "broker.data=" + t.TempDir(), "log.level=debug"}, more...)...)
	p := &place{addr: strings.TrimPrefix(h.mqtt, "mqtt://"), stop: h.kill, back: h.start}
	testkit.Until(t, "the hub says that it announces", func() bool { return len(p.kept(t, "cam/_hub/discovery")) > 0 })
	return p
}

func mosquitto(t *testing.T) *place {
	t.Helper()
	m := testkit.StartMosquitto(t)
	return &place{addr: m.Addr, stop: m.Stop, back: m.Start}
}

// nats is NATS, where subscriptions of QoS 1 are dear.
func nats(t *testing.T) *place {
	t.Helper()
	n := testkit.StartNATS(t)
	return &place{addr: n.Addr, stop: n.Stop, back: n.Start}
}

// houses are the brokers and versions of MQTT that are tried.
var houses = []struct {
	name  string
	start func(*testing.T) *place
	v5    bool
}{
	{"embedded, MQTT 5", func(t *testing.T) *place { return embedded(t) }, true},
	{"embedded, MQTT 3.1.1", func(t *testing.T) *place { return embedded(t) }, false},
	{"mosquitto, MQTT 5", mosquitto, true},
	{"mosquitto, MQTT 3.1.1", mosquitto, false},
	{"NATS", nats, false},
}

// camera runs a camera of a test source at the place, with a short heartbeat.
func (p *place) camera(t *testing.T, id string, pairs ...string) *testkit.Program {
	t.Helper()
	args := []string{"run", "-c", "mqtt.url=" + p.url(), "-c", "mqtt.command_qos=" + p.commandQoS(t)}
	for _, kv := range append([]string{"source=test:640x480", "name=Front door", "stats_every=1s", "keep_warm=1s"}, pairs...) {
		key := "cameras." + id + "."
		if strings.Contains(kv, ".") && strings.Index(kv, ".") < strings.Index(kv, "=") {
			key = ""
		}
		args = append(args, "-c", key+kv)
	}
	return serve(t, args...)
}

// commandQoS is 0 where configs/other-broker.yaml says so.
func (p *place) commandQoS(t *testing.T) string {
	return strconv.Itoa(map[bool]int{true: 0, false: 1}[strings.Contains(t.Name(), "NATS")])
}

// home starts Home Assistant's stand-in.
func (p *place) home(t *testing.T, v5 bool) *homeassistant.Home {
	t.Helper()
	return homeassistant.Start(t, homeassistant.Options{Addr: p.addr, V5: v5})
}

// kept returns all retained messages below a filter.
func (p *place) kept(t *testing.T, filter string) map[string]string {
	t.Helper()
	kept := map[string]string{}
	all := make(chan wire.Message, 4096)
	c := testkit.DialMQTT(t, testkit.MQTTOptions{Addr: p.addr, ID: "kept" + strconv.FormatInt(time.Now().UnixNano(), 36), User: p.user, Password: p.password, Receive: func(m wire.Message) { all <- m }})
	// A message of its own comes back after what is retained.
	mark := "mark/" + strconv.FormatInt(time.Now().UnixNano(), 36)
	for _, f := range []string{filter, mark} {
		if _, err := c.Subscribe(0, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Publish(wire.Message{Topic: mark, Payload: []byte("x"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case m := <-all:
			if m.Topic == mark {
				c.Close()
				return kept
			}
			if m.Retained {
				kept[m.Topic] = string(m.Payload)
			}
		case <-time.After(testkit.Patience):
			t.Fatal("the mark does not come back")
		}
	}
}

// everything are the entities of a camera of the test source without sensors of
// its machine.
func everything(id string) []string {
	var all []string
	for _, e := range strings.Fields("binary_sensor._connection binary_sensor._problem button._snap camera. event._event event._refused image._snapshot " +
		"number._fps number._quality select._size sensor._bandwidth sensor._frame_rate sensor._last_picture sensor._reconnects " +
		"sensor._started sensor._viewers switch._live switch._privacy") {
		platform, key, _ := strings.Cut(e, ".")
		all = append(all, platform+"."+id+key)
	}
	return all
}

// ofCamera are the entities that belong to a camera's device and do not depend on the
// machine.
func ofCamera(home *homeassistant.Home, id string) []string {
	var all []string
	for _, e := range sensorsAside(home.Entities()) {
		if got, _ := home.Entity(e); got.Device == "camqtt_"+id {
			all = append(all, e)
		}
	}
	return all
}

// counting is an exec: source that says on disk when it runs: each run leaves a
// file with its process id, which is there while it lives.
func counting(t *testing.T) (source, dir string) {
	t.Helper()
	dir = t.TempDir()
	pic := filepath.Join(dir, "pic.jpg")
	if err := os.WriteFile(pic, testkit.JPEG(t, 160, 120, 1, 20), 0o644); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "camera.sh")
	text := "#!/bin/sh\necho $$ >> " + dir + "/runs\nwhile :; do cat " + pic + " || exit; sleep 0.05; done\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return "exec:" + script, dir
}

// alive returns the processes that a counting source has started and that are
// still there, and how many it has started in all.
func alive(t *testing.T, dir string) (living, started int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "runs"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, pid := range strings.Fields(string(b)) {
		started++
		if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
			living++
		}
	}
	return living, started
}
