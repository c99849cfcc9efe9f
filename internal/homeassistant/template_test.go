package homeassistant

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"camqtt/internal/testkit/homeassistant"
	"camqtt/internal/wire"
)

// payloadOf is the struct that cameras publish on a kind of topic as JSON, nil
// for kinds that are plain text or pictures.
func payloadOf(k wire.Kind) reflect.Type {
	switch k {
	case wire.KindInfo:
		return reflect.TypeFor[wire.Info]()
	case wire.KindState:
		return reflect.TypeFor[wire.State]()
	case wire.KindStats:
		return reflect.TypeFor[wire.Stats]()
	case wire.KindMeta:
		return reflect.TypeFor[wire.Meta]()
	case wire.KindEvent:
		return reflect.TypeFor[wire.Event]()
	case wire.KindResult:
		return reflect.TypeFor[wire.Result]()
	}
	return nil
}

// keysOf returns the JSON keys of a struct.
func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}

// use is one template of an entity and the topic whose payload it reads.
type use struct{ key, option, topic, template string }

// templates returns every template in what is described, and fails for an
// option that may have one and is not known here.
func templates(t *testing.T, o Options, i wire.Info) []use {
	t.Helper()
	var uses []use
	for key, c := range components(t, o, i) {
		for option, v := range c {
			if !strings.HasSuffix(option, "_template") {
				continue
			}
			source, known := map[string]string{
				"value_template": "state_topic", "json_attributes_template": "json_attributes_topic", "command_template": "",
			}[option]
			if !known {
				t.Errorf("%s: %s is not looked at by this test", key, option)
			}
			topic, _ := c[source].(string)
			if trigger, is := c["topic"].(string); is {
				topic = trigger
			}
			uses = append(uses, use{key, option, topic, v.(string)})
		}
		list, _ := c["availability"].([]any)
		for _, raw := range list {
			e := raw.(map[string]any)
			uses = append(uses, use{key, "availability", e["topic"].(string), e["value_template"].(string)})
		}
	}
	return uses
}

func TestTemplatesReadOnlyWhatCamerasPublish(t *testing.T) {
	reads := regexp.MustCompile(`\bvalue_json\b(\.\w+)*`)
	json := 0
	for _, u := range templates(t, fullOptions(Device), fullInfo()) {
		_, kind, _ := wire.Base("").Split(u.topic)
		payload := payloadOf(kind)
		for _, path := range reads.FindAllString(u.template, -1) {
			json++
			parts := strings.Split(path, ".")[1:]
			if payload == nil || len(parts) > 1 || len(parts) == 1 && !slices.Contains(keysOf(payload), parts[0]) {
				t.Errorf("%s %s: %s is not in what is published on %q", u.key, u.option, path, u.topic)
			}
		}
		if payload != nil && !reads.MatchString(u.template) && !strings.Contains(u.template, " value ") {
			t.Errorf("%s %s: %s reads nothing of the JSON on %s", u.key, u.option, u.template, u.topic)
		}
	}
	if json < 10 {
		t.Errorf("%d keys looked at: the test has lost its sight", json)
	}
}

func TestTemplatesAreWhole(t *testing.T) {
	form := regexp.MustCompile(`^({% set (\w+) = [^{}%]+ %})?{{ [^{}%]*({})?[^{}%]* }}$`)
	filter := regexp.MustCompile(`\| *(\w+)`)
	for _, u := range templates(t, fullOptions(Device), fullInfo()) {
		if !form.MatchString(u.template) || strings.Count(u.template, "'")%2 != 0 ||
			strings.Count(u.template, "(") != strings.Count(u.template, ")") ||
			strings.Count(u.template, "[") != strings.Count(u.template, "]") {
			t.Errorf("%s %s: %s is not a whole template", u.key, u.option, u.template)
		}
		for _, f := range filter.FindAllStringSubmatch(u.template, -1) {
			if !slices.Contains([]string{"default", "int", "to_json"}, f[1]) {
				t.Errorf("%s %s: filter %s is not one that is known to exist", u.key, u.option, f[1])
			}
		}
	}
}

// choice is the form of most templates: one text or the other.
var choice = regexp.MustCompile(`^{{ '(\w+)' if (?:value == '(\w+)'|value_json\.(\w+)) else '(\w+)' }}$`)

// choose evaluates a template of that form for a payload.
func choose(t *testing.T, template, payload string) string {
	t.Helper()
	m := choice.FindStringSubmatch(template)
	if m == nil {
		t.Fatalf("%s is not a choice", template)
	}
	yes := payload == m[2]
	if m[3] != "" {
		var v map[string]any
		if err := json.Unmarshal([]byte(payload), &v); err != nil {
			t.Fatal(err)
		}
		yes = v[m[3]] != nil && v[m[3]] != false
	}
	if yes {
		return m[1]
	}
	return m[4]
}

func TestAvailabilityOfEachStatus(t *testing.T) {
	const sees, acts = "online online offline", "online offline offline" // when online, sleeping, offline
	var top struct {
		Availability []availability `json:"availability"`
	}
	if err := json.Unmarshal(mustMessages(t, Options{}, fullInfo())[0].Payload, &top); err != nil {
		t.Fatal(err)
	}
	for key, c := range components(t, Options{}, fullInfo()) {
		template, want := top.Availability[0].ValueTemplate, sees
		if _, commands := c["command_topic"]; commands {
			want = acts
		}
		own, has := c["availability"].([]any)
		if always := has && len(own) == 0; always != (key == "connection") {
			t.Errorf("%s: always available is %v", key, always)
		}
		if has && len(own) == 0 {
			continue
		} else if has {
			template = own[0].(map[string]any)["value_template"].(string)
		}
		var got []string
		for _, status := range []string{wire.Online, wire.Sleeping, wire.Offline} {
			got = append(got, choose(t, template, status))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: available %q, want %q", key, s, want)
		}
	}
}

// Alone in its message an entity inherits nothing: the list is written out, and
// what is always available has none.
func TestAvailabilityInComponentMode(t *testing.T) {
	for _, m := range mustMessages(t, Options{Mode: Component}, fullInfo()) {
		got := strings.Count(string(m.Payload), `"availability":[{"topic":"cam/front/status"`)
		want := 1
		if strings.Contains(m.Topic, "/connection/") || strings.Contains(m.Topic, "/device_automation/") {
			want = 0
		}
		if got != want || strings.Count(string(m.Payload), `"availability"`) != want {
			t.Errorf("%s: %d availability lists, want %d: %s", m.Topic, got, want, m.Payload)
		}
	}
}

// available evaluates the availability of an entity.
func available(t *testing.T, c map[string]any, messages map[string]string) bool {
	t.Helper()
	all := true
	for _, raw := range c["availability"].([]any) {
		e := raw.(map[string]any)
		s, err := homeassistant.Render(e["value_template"].(string), []byte(messages[e["topic"].(string)]))
		if err != nil {
			t.Fatal(err)
		}
		all = all && s == wire.Online
	}
	return all
}

// What a private camera refuses is not offered, and a picture that there is not yet
// or not any more is not asked for.
func TestAvailabilityWhilePrivate(t *testing.T) {
	comps := components(t, Options{}, fullInfo())
	for _, c := range []struct {
		name  string
		state wire.State
		meta  string
		want  map[string]bool
	}{
		{"open", wire.State{}, `{"seq":1}`, map[string]bool{"camera": true, "snap": true, "live": true, "snapshot": true, "privacy": true}},
		{"private", wire.State{Privacy: true}, `{"seq":1}`, map[string]bool{"camera": false, "snap": false, "live": false, "snapshot": false, "privacy": true}},
		{"before the first snapshot", wire.State{}, "", map[string]bool{"camera": true, "snap": true, "live": true, "snapshot": false, "privacy": true}},
	} {
		state, err := wire.JSON(c.state)
		if err != nil {
			t.Fatal(err)
		}
		messages := map[string]string{"cam/front/status": wire.Online, "cam/front/state": string(state), "cam/front/snapshot/meta": c.meta}
		for key, want := range c.want {
			if got := available(t, comps[key], messages); got != want {
				t.Errorf("%s: %s is available: %v, want %v", c.name, key, got, want)
			}
			if comps[key]["availability_mode"] != "all" && key != "privacy" {
				t.Errorf("%s: availability_mode %v", key, comps[key]["availability_mode"])
			}
		}
	}
	text, err := homeassistant.Render(comps["snapshot"]["json_attributes_template"].(string), nil)
	if err != nil || text != "{}" {
		t.Errorf("attributes of a snapshot that was cleared: %q, %v", text, err)
	}
}

// A request that was refused is an event with the reason; one that was not is none.
func TestRefusalsAreEvents(t *testing.T) {
	c := components(t, Options{}, fullInfo())["refused"]
	for _, r := range []struct {
		result wire.Result
		want   string
	}{
		{wire.Result{Cmd: "snap", OK: true, Code: wire.OK}, ""},
		{wire.Result{Cmd: "snap", Code: wire.Privacy, Text: "privacy is on"}, "refused privacy privacy is on"},
	} {
		payload, err := wire.JSON(r.result)
		if err != nil {
			t.Fatal(err)
		}
		text, err := homeassistant.Render(c["value_template"].(string), payload)
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			Type string `json:"event_type"`
			Code string `json:"code"`
			Text string `json:"text"`
		}
		if text != "" {
			err = json.Unmarshal([]byte(text), &v)
		}
		if got := strings.TrimSpace(v.Type + " " + v.Code + " " + v.Text); err != nil || got != r.want {
			t.Errorf("%s: %q, %v, want %q", payload, text, err, r.want)
		}
	}
}

// An event of a type that a newer camera publishes is ignored.
func TestUnknownEventIsIgnored(t *testing.T) {
	template := components(t, Options{}, fullInfo())["event"]["value_template"].(string)
	for payload, want := range map[string]string{`{"event_type":"snapshot"}`: `{"event_type":"snapshot"}`, `{"event_type":"later"}`: ""} {
		if got, err := homeassistant.Render(template, []byte(payload)); err != nil || got != want {
			t.Errorf("%s becomes %q, %v", payload, got, err)
		}
	}
}

func TestStatesAreUnderstood(t *testing.T) {
	payload := func(s wire.State) string {
		b, err := wire.JSON(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	quiet, busy := payload(wire.State{}), payload(wire.State{Streaming: true, Privacy: true, Error: &wire.Problem{Code: wire.Stalled}})
	for _, c := range []struct{ key, payload, option string }{
		{"live", quiet, "state_off"},
		{"live", busy, "state_on"},
		{"privacy", quiet, "payload_off"},
		{"privacy", busy, "payload_on"},
		{"problem", quiet, "payload_off"},
		{"problem", busy, "payload_on"},
		{"connection", wire.Online, "payload_on"},
		{"connection", wire.Sleeping, "payload_on"},
		{"connection", wire.Offline, "payload_off"},
	} {
		comp := components(t, Options{}, fullInfo())[c.key]
		if got := choose(t, comp["value_template"].(string), c.payload); got != comp[c.option] {
			t.Errorf("%s at %s is %q, want %s %q", c.key, c.payload, got, c.option, comp[c.option])
		}
	}
}

// What is wrong, and what is merely not as asked, is in the attributes of the
// problem, in the camera's own words.
func TestProblemSaysWhat(t *testing.T) {
	template := components(t, Options{}, fullInfo())["problem"]["json_attributes_template"].(string)
	const odd = `the board's "lamp" {{ 1+1 }} stayed off`
	for _, c := range []struct {
		state wire.State
		want  map[string]any
	}{
		{wire.State{}, map[string]any{}},
		{wire.State{Warning: odd}, map[string]any{"warning": odd}},
		{wire.State{Error: &wire.Problem{Code: wire.Stalled, Text: "t"}}, map[string]any{"code": "stalled", "text": "t"}},
		{wire.State{Error: &wire.Problem{Code: wire.Stalled, Text: "t"}, Warning: odd}, map[string]any{"code": "stalled", "text": "t", "warning": odd}},
	} {
		payload, err := wire.JSON(c.state)
		if err != nil {
			t.Fatal(err)
		}
		text, err := homeassistant.Render(template, payload)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("attributes %s, %v; want %v", text, err, c.want)
		}
	}
}

// The lamp is unknown until it was set; off is a state of its own.
func TestLampIsUnderstood(t *testing.T) {
	template := components(t, Options{}, fullInfo())["flash"]["value_template"].(string)
	for _, c := range []struct{ payload, want string }{
		{`{"flash":0}`, "0"}, {`{"flash":40}`, "40"}, {`{}`, "None"},
	} {
		if got, err := homeassistant.Render(template, []byte(c.payload)); err != nil || got != c.want {
			t.Errorf("%s at %s is %q, %v; want %q", template, c.payload, got, err, c.want)
		}
	}
}
