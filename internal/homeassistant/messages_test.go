package homeassistant

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit/homeassistant"
	"camqtt/internal/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fullInfo is of a camera that can do everything.
func fullInfo() wire.Info {
	return wire.Info{
		Schema: wire.Schema, ID: "front", Name: "Front door", Model: "imx708", Source: "rpicam",
		Sizes: []string{"640x480", "1280x720", "1920x1080"}, MaxFPS: 10,
		Caps: []string{"size", "fps", "quality", "flash", "motion"}, Version: "1.2.3", Host: "pi", Instance: "aabbccdd",
		Started: wire.At(time.Date(2026, 11, 20, 4, 0, 0, 0, time.UTC)),
		TopFPS:  30, StatsEvery: 30, Sensors: []string{"temperature", "signal"}, Bridge: "cellar",
		Make: "Raspberry Pi", Serial: "10000000abcd1234", Hardware: "Raspberry Pi 4 Model B", Labels: map[string]string{"room": "Hall"},
	}
}

// bareInfo is of a camera that sends pictures and no more.
func bareInfo() wire.Info { return wire.Info{ID: "gate-2", Source: "push", Caps: []string{}} }

func fullOptions(m Mode) Options {
	return Options{Mode: m, URL: "https://cams.example:8443/", Version: "1.2.3"}
}

func mustMessages(t *testing.T, o Options, i wire.Info) []wire.Message {
	t.Helper()
	msgs, err := o.Messages(i)
	if err != nil {
		t.Fatalf("Messages: %v", err)
	}
	return msgs
}

func mustBridge(t *testing.T, o Options) []wire.Message {
	t.Helper()
	msgs, err := o.Bridge("cellar", "Cellar")
	if err != nil {
		t.Fatalf("Bridge: %v", err)
	}
	return msgs
}

// golden compares the messages with a file of topics, each with its payload in
// many lines.
func golden(t *testing.T, name string, msgs []wire.Message) {
	t.Helper()
	var b bytes.Buffer
	for _, m := range msgs {
		b.WriteString(m.Topic + "\n")
		if len(m.Payload) > 0 {
			if err := json.Indent(&b, m.Payload, "", "  "); err != nil {
				t.Fatalf("%s: %v", m.Topic, err)
			}
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, b.Bytes()) {
		t.Errorf("%s differs; if that is meant: go test ./internal/homeassistant -update, and read the difference\n%s", path, b.Bytes())
	}
}

func TestMessagesAreGoldenAndValid(t *testing.T) {
	for name, c := range map[string]struct {
		opts Options
		info wire.Info
	}{
		"device-full.txt":    {fullOptions(Device), fullInfo()},
		"device-bare.txt":    {Options{}, bareInfo()},
		"component-full.txt": {fullOptions(Component), fullInfo()},
		"component-bare.txt": {Options{Mode: Component, Prefix: "ha/disco", Base: "yard/cams"}, bareInfo()},
	} {
		t.Run(name, func(t *testing.T) {
			msgs := mustMessages(t, c.opts, c.info)
			if err := homeassistant.Check(c.opts.prefix(), c.opts.Base, msgs); err != nil {
				t.Error(err)
			}
			golden(t, name, msgs)
		})
	}
}

func TestBridgeIsGoldenAndValid(t *testing.T) {
	for _, m := range []Mode{Device, Component} {
		t.Run(string(m), func(t *testing.T) {
			o := fullOptions(m)
			msgs := mustBridge(t, o)
			if err := homeassistant.Check(o.prefix(), o.Base, msgs); err != nil {
				t.Error(err)
			}
			golden(t, "bridge-"+string(m)+".txt", msgs)
			// via_device of the camera must name the device that the bridge is.
			via := `"via_device":"camqtt-cellar"`
			camera := mustMessages(t, o, fullInfo())[0]
			if !bytes.Contains(camera.Payload, []byte(via)) || !bytes.Contains(msgs[0].Payload, []byte(`"identifiers":["camqtt-cellar"]`)) {
				t.Errorf("camera %s\nbridge %s\nwant %s to be the bridge", camera.Payload, msgs[0].Payload, via)
			}
		})
	}
}

func TestDeviceModeIsOneMessage(t *testing.T) {
	msgs := mustMessages(t, Options{}, fullInfo())
	if len(msgs) != 1 || msgs[0].Topic != "homeassistant/device/camqtt_front/config" {
		t.Fatalf("got %d messages, first on %q", len(msgs), msgs[0].Topic)
	}
	if n := len(msgs[0].Payload); n > 13_000 || bytes.ContainsRune(msgs[0].Payload, '\n') {
		t.Errorf("payload has %d bytes: want one line of at most 13000", n)
	}
}

func TestOffSaysNothing(t *testing.T) {
	o := Options{Mode: Off}
	if msgs := mustMessages(t, o, fullInfo()); len(msgs) != 0 {
		t.Errorf("Messages when off = %v, want none", msgs)
	}
	if msgs := mustBridge(t, o); len(msgs) != 0 {
		t.Errorf("Bridge when off = %v, want none", msgs)
	}
}

func TestBirthTopic(t *testing.T) {
	for prefix, want := range map[string]string{"": "homeassistant/status", "ha/d": "ha/d/status"} {
		if got := (Options{Prefix: prefix}).BirthTopic(); got != want {
			t.Errorf("BirthTopic with prefix %q = %q, want %q", prefix, got, want)
		}
	}
}

// components returns the entities described in Device mode, by key.
func components(t *testing.T, o Options, i wire.Info) map[string]map[string]any {
	t.Helper()
	o.Mode = Device
	var m struct {
		Components map[string]map[string]any `json:"components"`
	}
	if err := json.Unmarshal(mustMessages(t, o, i)[0].Payload, &m); err != nil {
		t.Fatal(err)
	}
	return m.Components
}

func TestOnlyWhatTheCameraCanDoIsOffered(t *testing.T) {
	sizes := []string{"640x480", "1280x720"}
	for _, c := range []struct {
		caps  []string
		sizes []string
		want  string // which of the conditional entities
	}{
		{nil, sizes, ""},
		{[]string{"fps"}, sizes, "fps"},
		{[]string{"quality"}, sizes, "quality"},
		{[]string{"size"}, sizes, "size"},
		{[]string{"size"}, sizes[:1], ""},
		{[]string{"size"}, []string{"640x480", "640X480", "junk"}, ""},
		{[]string{"motion"}, nil, "motion"},
		{[]string{"flash"}, nil, "flash"},
		{[]string{"size", "fps", "quality", "flash", "motion", "rotate"}, sizes, "flash fps motion quality size"},
	} {
		i := wire.Info{ID: "a", Caps: c.caps, Sizes: c.sizes}
		comps := components(t, Options{}, i)
		var got []string
		for _, key := range []string{"flash", "fps", "motion", "quality", "size"} {
			switch n := len(comps[key]); n {
			case 0:
				t.Errorf("caps %v: %s is left out, which would not remove it", c.caps, key)
			case 1: // {"platform": ...} removes
			default:
				got = append(got, key)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("caps %v, sizes %v: offered %q, want %q", c.caps, c.sizes, s, c.want)
		}
		single := 0
		for _, m := range mustMessages(t, Options{Mode: Component}, i) {
			if len(m.Payload) > 0 {
				single++
			}
		}
		want := len(catalogue()) - 7 + len(got) + len(eventTypes()) // nor has it sensors
		if slices.Contains(c.caps, "motion") {
			want += len(motionEvents())
		}
		if single != want {
			t.Errorf("caps %v: %d entities in component mode, want %d", c.caps, single, want)
		}
	}
}

func TestEventTypes(t *testing.T) {
	types := func(caps ...string) string {
		b, _ := json.Marshal(components(t, Options{}, wire.Info{ID: "a", Caps: caps})["event"]["event_types"])
		return string(b)
	}
	if got, want := types(), `["snapshot","stream_started","stream_stopped","error"]`; got != want {
		t.Errorf("event types %s, want %s", got, want)
	}
	if got, want := types("motion"), `["snapshot","stream_started","stream_stopped","error","motion_started","motion_stopped"]`; got != want {
		t.Errorf("event types with motion %s, want %s", got, want)
	}
}

func TestSlowCameraGetsFinerSteps(t *testing.T) {
	for fps, want := range map[float64]float64{0: 0.1, 10: 0.1, 0.1: 0.1, 0.05: 0.001} {
		c := components(t, Options{}, wire.Info{ID: "a", Caps: []string{"fps"}, MaxFPS: fps})["fps"]
		if c["min"] != want || c["step"] != want {
			t.Errorf("at %v fps: min %v step %v, want %v", fps, c["min"], c["step"], want)
		}
	}
}

func TestReadingsExpire(t *testing.T) {
	for every, want := range map[float64]any{0: nil, -1: nil, 0.1: 1.0, 30: 90.0, 1e300: nil} {
		comps := components(t, Options{}, wire.Info{ID: "a", StatsEvery: every})
		if got := comps["frame_rate"]["expire_after"]; got != want {
			t.Errorf("stats every %v: expire_after %v, want %v", every, got, want)
		}
		if got, has := comps["last_picture"]["expire_after"]; has {
			t.Errorf("last_picture, which is not from stats, expires after %v", got)
		}
	}
}

func TestDeviceLink(t *testing.T) {
	for url, want := range map[string]string{
		"":                           "",
		"http://192.168.1.10:8080":   `"configuration_url":"http://192.168.1.10:8080/#front"`,
		"https://cams.example/yard/": `"configuration_url":"https://cams.example/yard/#front"`,
	} {
		payload := string(mustMessages(t, Options{URL: url}, fullInfo())[0].Payload)
		if want == "" && strings.Contains(payload, "configuration_url") || !strings.Contains(payload, want) {
			t.Errorf("url %q: want %s in %s", url, want, payload)
		}
	}
}

func TestCheck(t *testing.T) {
	long := strings.Repeat("x", maxPrefix+1)
	for name, c := range map[string]struct {
		opts Options
		want string // in the error, "" for none
	}{
		"zero":               {Options{}, ""},
		"all":                {fullOptions(Component), ""},
		"several levels":     {Options{Prefix: "home/assistant", Base: "home/cam"}, ""},
		"mode":               {Options{Mode: "both"}, "want device, component or off"},
		"wildcard":           {Options{Prefix: "ha/#"}, "prefix"},
		"plus":               {Options{Prefix: "+"}, "prefix"},
		"empty level":        {Options{Prefix: "ha//x"}, "prefix"},
		"trailing slash":     {Options{Prefix: "ha/"}, "prefix"},
		"blank":              {Options{Prefix: "home assistant"}, "prefix"},
		"nul":                {Options{Prefix: "ha\x00"}, "prefix"},
		"not utf-8":          {Options{Prefix: "ha\xff"}, "prefix"},
		"dollar":             {Options{Prefix: "$SYS"}, "prefix"},
		"long":               {Options{Prefix: long}, "at most 100"},
		"base":               {Options{Base: "a b"}, "base"},
		"same as base":       {Options{Prefix: "cam"}, "neither below the other"},
		"base below":         {Options{Base: "homeassistant/cam"}, "neither below the other"},
		"prefix below":       {Options{Prefix: "cam/ha"}, "neither below the other"},
		"no scheme":          {Options{URL: "cams.example:8080"}, "dashboard url"},
		"other scheme":       {Options{URL: "mqtt://cams.example"}, "dashboard url"},
		"no host":            {Options{URL: "http:///x"}, "dashboard url"},
		"fragment":           {Options{URL: "http://a/#x"}, "dashboard url"},
		"empty fragment":     {Options{URL: "http://a/#"}, "dashboard url"},
		"query":              {Options{URL: "http://a/?token=x"}, "dashboard url"},
		"password":           {Options{URL: "http://u:hunter2@a/"}, "without user"},
		"name that overlaps": {Options{Prefix: "camera"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.opts.Check()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("Check() = %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error %q tells the password", err)
			}
			if _, merr := c.opts.Messages(fullInfo()); (merr == nil) != (err == nil) {
				t.Errorf("Messages: %v, but Check: %v", merr, err)
			}
			if _, berr := c.opts.Bridge("cellar", ""); (berr == nil) != (err == nil) {
				t.Errorf("Bridge: %v, but Check: %v", berr, err)
			}
		})
	}
}

func TestBadIDs(t *testing.T) {
	if msgs, err := (Options{}).Bridge("a/b", ""); err == nil {
		t.Errorf("Bridge a/b = %v, want an error", msgs)
	}
	i := fullInfo()
	i.Bridge = "a/b"
	if p := string(mustMessages(t, Options{}, i)[0].Payload); strings.Contains(p, "via_device") {
		t.Errorf("a bridge that cannot be described is referred to: %s", p)
	}
	for _, id := range []wire.ID{"", "+", "#", "a/b", "Front", "_all", "a b", wire.ID(strings.Repeat("a", 33))} {
		if msgs, err := (Options{}).Messages(wire.Info{ID: id}); err == nil {
			t.Errorf("Messages for id %q = %v, want an error", id, msgs)
		}
		if msgs := (Options{}).Clear(CameraObject(id)); len(msgs) != 0 {
			t.Errorf("Clear(%q) = %v, want none", id, msgs)
		}
	}
	if msgs := (Options{Prefix: "#"}).Clear(CameraObject("a")); len(msgs) != 0 {
		t.Errorf("Clear below # = %v, want none", msgs)
	}
}

// Cameras must not be able to take each other's names, whatever their ids.
func TestUniqueIDs(t *testing.T) {
	ids := []wire.ID{"a", "a_b", "a-b", "a__b", "a_"}
	for _, e := range catalogue() {
		ids = append(ids, wire.ID("a_"+e.key), wire.ID(e.key))
	}
	owner := map[string]wire.ID{}
	for _, id := range ids {
		i := fullInfo()
		i.ID = id
		for key, c := range components(t, Options{}, i) {
			u, entity := c["unique_id"].(string)
			if !entity {
				continue // a trigger
			}
			if other, taken := owner[u]; taken {
				t.Errorf("%s of camera %s has the unique id %q of camera %s", key, id, u, other)
			}
			owner[u] = id
		}
	}
	if BridgeObject("x") == CameraObject("x") || slices.Contains(ids, wire.ID(BridgeObject("x"))) {
		t.Errorf("a bridge can have the name of a camera")
	}
}

func TestBothModesHaveTheSameEntities(t *testing.T) {
	comps := components(t, Options{}, fullInfo())
	for _, m := range mustMessages(t, Options{Mode: Component}, fullInfo()) {
		var c map[string]any
		if err := json.Unmarshal(m.Payload, &c); err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(m.Topic, "/")
		other := comps[parts[3]]
		for _, k := range []string{"unique_id", "object_id", "default_entity_id", "state_topic", "command_topic", "value_template", "type", "payload"} {
			if c[k] != other[k] {
				t.Errorf("%s %s: %v alone, %v in the device", parts[3], k, c[k], other[k])
			}
		}
		if other["platform"] != parts[1] {
			t.Errorf("%s: platform %v in the device, topic %s", parts[3], other["platform"], m.Topic)
		}
	}
}
