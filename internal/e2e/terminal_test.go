package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// hostileText is what a camera that was taken over says of itself: orders to terminals,
// a forged log line, text that runs backwards, a template and a script.
const hostileText = "\x1b]0;owned\a\x1b[2J\u009b31m\nlevel=ERROR msg=forged\r\u202egpj.exe\u0000 {{ states('lock.door') }} <script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"

// orders finds what a terminal would obey.
func orders(s string) string {
	for _, r := range s {
		if r != '\n' && !unicode.IsGraphic(r) {
			return fmt.Sprintf("%q in %q", r, s)
		}
	}
	return ""
}

// hostileCamera answers everything with hostile text. What it returns publishes for it.
func hostileCamera(t *testing.T, addr, id string) (say func(kind, payload string, retain bool)) {
	t.Helper()
	var c *testkit.MQTT
	ready := make(chan struct{})
	text, err := json.Marshal(hostileText)
	if err != nil {
		t.Fatal(err)
	}
	say = func(kind, payload string, retain bool) {
		if err := c.Publish(wire.Message{Topic: "cam/" + id + "/" + kind, Payload: []byte(payload), QoS: 0, Retained: retain}); err != nil {
			t.Logf("publish %s: %v", kind, err)
		}
	}
	c = testkit.DialMQTT(t, testkit.MQTTOptions{Addr: addr, ID: "hostile", Receive: func(m wire.Message) {
		<-ready
		var asked struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(m.Payload, &asked) != nil {
			for w := range strings.FieldsSeq(string(m.Payload)) {
				if v, ok := strings.CutPrefix(w, "id="); ok {
					asked.ID = v
				}
			}
		}
		ok := strings.HasPrefix(string(m.Payload), "stop")
		say("result", fmt.Sprintf(`{"cmd":"snap","id":%q,"ok":%t,"code":%s,"text":%s}`, asked.ID, ok, text, text), false)
	}})
	if _, err := c.Subscribe(0, "cam/"+id+"/cmd", "cam/"+id+"/set"); err != nil {
		t.Fatal(err)
	}
	close(ready)
	say("info", fmt.Sprintf(`{"id":%q,"name":%s,"model":%s,"source":%s,"version":%s,"host":%s,"sizes":[%s],"caps":["size",%s]}`, id, text, text, text, text, text, text, text), true)
	say("state", fmt.Sprintf(`{"error":{"code":%s,"text":%s},"warning":%s}`, text, text, text), true)
	say("status", "online", true)
	if err := c.Publish(wire.Message{Topic: "cam/" + id + "/event", Payload: []byte(hostileText), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	return say
}

// B15. Nothing that a camera says is obeyed by the terminal of who asks it, or forges a
// line of the log, whatever the form.
func TestHostileCamera(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+t.TempDir(), "log.level=debug", "log.format="+format)
		hostileCamera(t, strings.TrimPrefix(h.mqtt, "mqtt://"), "porch")
		at := []string{"--broker", h.mqtt}
		online(t, h.mqtt, "porch")
		for _, args := range [][]string{
			{"ls"},
			{"ls", "--json"},
			{"snap", "porch", "-o", t.TempDir() + "/x.jpg"},
			{"start", "porch"},
			{"stop", "porch"},
			{"set", "porch", "fps=3"},
			{"watch", "porch", "-o", t.TempDir()},
		} {
			out, stderr, _ := camqtt(t, append(args, at...)...)
			if bad := orders(string(out) + stderr); bad != "" {
				t.Errorf("%s: %s", args[0], bad)
			}
			if args[0] != "ls" && strings.Contains(string(out)+stderr, "\nlevel=ERROR msg=forged") {
				t.Errorf("%s forges a line: %s%s", args[0], out, stderr)
			}
		}
		testkit.Until(t, "ls --json lists the camera with its name as it is", func() bool {
			var list []struct{ Name string }
			if err := json.Unmarshal([]byte(must(t, append(at, "ls", "--json")...)), &list); err != nil || len(list) > 1 {
				t.Fatalf("ls --json: %v, %q", err, list)
			}
			return len(list) == 1 && list[0].Name == hostileText
		})
		interrupt(t, h.p)
		if bad := orders(h.p.Err()); bad != "" {
			t.Errorf("the %s log has %s", format, bad)
		}
		for line := range strings.Lines(h.p.Err()) {
			if strings.HasPrefix(line, "level=ERROR msg=forged") {
				t.Errorf("the %s log has a forged line", format)
			}
		}
	}
}
