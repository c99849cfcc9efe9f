package main

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

// B6, B7, B10. The page shows what a hostile camera says as text, runs none of it, asks
// for nothing elsewhere, and survives pictures that are none.
func TestHostileCameraOnThePage(t *testing.T) {
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+t.TempDir(), "cameras.porch.source=test:")
	say := hostileCamera(t, strings.TrimPrefix(h.mqtt, "mqtt://"), "evil")
	b := testkit.OpenBrowser(t, h.http+"/", 0, 0)
	const evil = `document.querySelector('cam-tile[data-id=evil]')`
	b.Wait(patience, evil+` !== null`)
	b.Wait(patience, evil+`.textContent.includes('<script>')`)
	bomb := "\xff\xd8\xff\xc0\x00\x11\x08\x75\x30\x75\x30\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00" +
		strings.Repeat("\x00", 300) + "\xff\xd9"
	for _, picture := range []string{
		bomb, `<svg xmlns="http://www.w3.org/2000/svg" onload="document.title='owned'"><script>document.title='owned'</script></svg>`,
		"<html><script>document.title='owned'</script>", "\xff\xd8\xff", "\xff\xd8\xff\xd9", "\x00\x00\x00\x18ftypmp42", "x",
	} {
		for _, kind := range []string{"frame", "preview", "snapshot"} {
			say(kind, picture, true)
		}
	}
	say("status", hostileText, true)
	say("status", "online", true)
	b.Click(`cam-tile[data-id=evil] [data-part=view]`)
	b.Wait(patience, `location.hash === '#evil'`)
	say("frame", bomb, false)
	b.Press("\x1b")
	b.Wait(patience, `location.hash !== '#evil' && document.querySelector('dialog[open]') === null`)
	b.Reload() // what is retained comes at once
	b.Wait(patience, evil+`?.textContent.includes('<script>')`)
	b.Wait(patience, frames+` > 3`)
	if got := testkit.Eval[string](b, `document.title`); strings.Contains(got, "owned") {
		t.Errorf("a script ran: the title is %q", got)
	}
	if n := testkit.Eval[int](b, `document.querySelectorAll('img[src=x], cam-tile script, cam-tile svg[onload]').length`); n != 0 {
		t.Errorf("%d elements came from a camera's text", n)
	}
}

// B15. Nothing that a camera says is obeyed by the terminal of who asks it, or forges a
// line of the log, whatever the form.
func TestHostileCamera(t *testing.T) {
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
			if args[len(args)-1] == "--json" {
				var list []struct{ Name string }
				if err := json.Unmarshal(out, &list); err != nil || len(list) != 1 || list[0].Name != hostileText {
					t.Errorf("ls --json: %v, %q", err, list)
				}
			}
		}
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
