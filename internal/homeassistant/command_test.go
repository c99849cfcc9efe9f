package homeassistant

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"camqtt/internal/wire"
)

// obey does with a message what a camera does, and says what it understood.
func obey(topic, payload string) (string, error) {
	id, kind, ok := wire.Base("").Split(topic)
	if !ok && topic != wire.Base("").AllCmd() {
		return "", fmt.Errorf("no camera listens on %q", topic)
	}
	if key, set := strings.CutPrefix(string(kind), "set/"); set {
		c, err := wire.ParseSetKey(key, []byte(payload))
		return fmt.Sprintf("%s %v=%s", id, c.Setting, c.Value()), err
	}
	c, err := wire.ParseCommand([]byte(payload), time.Now())
	return fmt.Sprintf("%s %s", id, c.Words()), err
}

// What Home Assistant sends when people press, switch, slide and choose must be
// what cameras obey.
func TestCommandsAreObeyed(t *testing.T) {
	comps := components(t, Options{}, fullInfo())
	send := func(key, payload, want string) {
		t.Helper()
		topic, _ := comps[key]["command_topic"].(string)
		got, err := obey(topic, payload)
		if err != nil || got != want {
			t.Errorf("%s sends %q on %s: camera understands %q, %v; want %q", key, payload, topic, got, err, want)
		}
	}
	text := func(key, option string) string { return fmt.Sprint(comps[key][option]) }
	send("snap", text("snap", "payload_press"), "front snap")
	send("live", text("live", "payload_on"), "front start")
	send("live", text("live", "payload_off"), "front stop")
	send("privacy", text("privacy", "payload_on"), "front privacy=true")
	send("privacy", text("privacy", "payload_off"), "front privacy=false")
	send("fps", text("fps", "min"), "front fps=0.1")
	send("fps", text("fps", "max"), "front fps=30")
	send("quality", text("quality", "min"), "front quality=1")
	send("quality", text("quality", "max"), "front quality=100")
	send("flash", text("flash", "min"), "front flash=0")
	send("flash", text("flash", "max"), "front flash=100")
	options := comps["size"]["options"].([]any)
	if len(options) != 3 {
		t.Errorf("options %v, want the camera's three sizes", options)
	}
	for _, o := range options {
		send("size", fmt.Sprint(o), "front size="+fmt.Sprint(o))
	}
	sent := 0
	for key, c := range comps {
		if _, ok := c["command_topic"]; ok {
			sent++
		}
		if _, ok := c["retain"]; ok {
			t.Errorf("%s: commands must not be retained", key)
		}
	}
	if sent != 7 {
		t.Errorf("%d entities send, this test knows 7", sent)
	}
}

func TestBridgeButtonIsObeyed(t *testing.T) {
	o := fullOptions(Device)
	payload := string(mustBridge(t, o)[0].Payload)
	for _, want := range []string{`"command_topic":"cam/_all/cmd"`, `"payload_press":"snap"`} {
		if !strings.Contains(payload, want) {
			t.Errorf("want %s in %s", want, payload)
		}
	}
	if got, err := obey("cam/_all/cmd", "snap"); err != nil || got != " snap" {
		t.Errorf("camera understands %q, %v", got, err)
	}
}

// TestStatisticsAreShown compares the entities that read stats with the rows of its numbers.
func TestStatisticsAreShown(t *testing.T) {
	want, got := map[string]string{}, map[string]string{}
	for _, s := range wire.Statistics() {
		if s.Sensor != "" {
			want[s.Sensor] = s.Name
		}
	}
	for _, c := range components(t, Options{}, fullInfo()) {
		if topic := fmt.Sprint(c["state_topic"]); !strings.HasSuffix(topic, "/"+string(wire.KindStats)) {
			continue
		}
		_, key, _ := strings.Cut(fmt.Sprint(c["value_template"]), "value_json.")
		key, _, _ = strings.Cut(key, " ")
		got[fmt.Sprint(c["name"])] = strings.Trim(key, "}")
	}
	if !maps.Equal(got, want) {
		t.Errorf("entities %v, package wire %v", got, want)
	}
}
