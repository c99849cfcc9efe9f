package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/homeassistant"
	"camqtt/internal/wire"
)

// homePage is docs/homeassistant.md.
func homePage(t *testing.T) string {
	t.Helper()
	return string(read(t, "docs/homeassistant.md"))
}

// blocks returns the YAML in the page.
func blocks(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(homePage(t), -1) {
		all = append(all, m[1])
	}
	return all
}

// load reads YAML; what Home Assistant fills in, such as !input, is its own text.
func load(t *testing.T, text string) *yaml.Node {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil || len(n.Content) != 1 {
		t.Fatalf("not YAML: %v\n%s", err, text)
	}
	return n.Content[0]
}

// walk visits every key with its value, however deep.
func walk(n *yaml.Node, visit func(key string, value *yaml.Node)) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			visit(n.Content[i-1].Value, c)
		}
		walk(c, visit)
	}
}

// keysOf returns the keys of a map.
func keysOf(n *yaml.Node) (keys []string) {
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i].Value)
	}
	return keys
}

// TestHomeAssistantPage loads every example of docs/homeassistant.md: our own
// configuration is checked by camqtt, Home Assistant's is held to what we
// announce.
func TestHomeAssistantPage(t *testing.T) {
	t.Parallel()
	p := embedded(t)
	p.camera(t, "front")
	home := p.home(t, true)
	home.Await("switch.front_live", "off")
	kinds := map[string]int{}
	for _, block := range blocks(t) {
		n := load(t, block)
		keys := keysOf(n)
		switch {
		case slices.Contains(keys, "broker"), slices.Contains(keys, "mqtt"):
			kinds["configuration"]++
			checkConfiguration(t, block)
		case slices.Contains(keys, "streams"):
			kinds["go2rtc"]++
			walk(n, func(key string, v *yaml.Node) {
				if key != "streams" && !regexp.MustCompile(`^http://hub\.local:8080/cam/\w+/stream\.mjpg(#header=Authorization: Bearer TOKEN)?$`).MatchString(v.Value) {
					t.Errorf("go2rtc: %s", v.Value)
				}
			})
		default:
			kinds["home assistant"]++
			checkHome(t, home, n)
		}
	}
	if kinds["configuration"] != 3 || kinds["go2rtc"] != 1 || kinds["home assistant"] != 4 {
		t.Errorf("examples %v: the test has lost its sight", kinds)
	}
	for _, id := range regexp.MustCompile("`([a-z_]+\\.front[a-z_]*)`").FindAllStringSubmatch(homePage(t), -1) {
		if _, ok := home.Entity(id[1]); !ok && !strings.HasSuffix(id[1], "_temperature") && !strings.HasSuffix(id[1], "_signal") && id[1] != "number.front_flash" {
			t.Errorf("the page names %s, which is not announced", id[1])
		}
	}
	for _, id := range sensorsAside(home.Entities()) {
		if !strings.Contains(homePage(t), "`"+id+"`") {
			t.Errorf("%s is announced, and the page does not name it", id)
		}
	}
}

// checkConfiguration has camqtt check an example.
func checkConfiguration(t *testing.T, block string) {
	t.Helper()
	dir := t.TempDir()
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "example.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(block, "/etc/camqtt/mqtt-password", secret)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := camqtt(t, "check", "-c", file); status != 0 {
		t.Errorf("exit %d: %s\n%s", status, stderr, block)
	}
}

// checkHome holds an example for Home Assistant to what is announced: entities,
// actions, topics and commands.
func checkHome(t *testing.T, home *homeassistant.Home, n *yaml.Node) {
	t.Helper()
	actions := []string{"notify.mobile_app_phone", "button.press", "mqtt.publish", "{{ notify }}"}
	entities, foreign := 0, []string{"binary_sensor.door_contact"}
	isEntity := regexp.MustCompile(`^(/api/image_proxy/)?([a-z_]+\.[a-z0-9_]+)$`)
	command := map[string]string{}
	walk(n, func(key string, v *yaml.Node) {
		switch key {
		case "action":
			if !slices.Contains(actions, v.Value) {
				t.Errorf("action %s is not one that this test knows", v.Value)
			}
			return
		case "notify", "path", "min_version":
			return
		case "retain":
			t.Error("a command must not be retained")
		case "topic", "payload":
			command[key] = v.Value
			if len(command) == 2 {
				_, kind, ok := wire.Base("").Split(command["topic"])
				if (!ok || kind != wire.KindCmd) && command["topic"] != wire.Base("").AllCmd() {
					t.Errorf("no camera listens on %s", command["topic"])
				}
				if _, err := wire.ParseCommand([]byte(command["payload"]), time.Now()); err != nil {
					t.Error(err)
				}
				clear(command)
			}
			return
		}
		if m := isEntity.FindStringSubmatch(v.Value); m != nil && v.Kind == yaml.ScalarNode && v.Tag != "!input" {
			entities++
			if _, ok := home.Entity(m[2]); !ok && !slices.Contains(foreign, m[2]) {
				t.Errorf("%s: %s is not announced", key, v.Value)
			}
		}
	})
	if entities == 0 && len(n.Content) > 2 {
		t.Error("an example without entities")
	}
}

// TestBlueprint holds the blueprint together: what it asks for it uses, and the
// other way round, and its example in the page fills in just that.
func TestBlueprint(t *testing.T) {
	t.Parallel()
	text := string(read(t, "docs/homeassistant/snap-and-notify.yaml"))
	n := load(t, text)
	for _, want := range []string{"blueprint", "mode", "triggers", "actions"} {
		if !slices.Contains(keysOf(n), want) {
			t.Errorf("no %s", want)
		}
	}
	var asked, filled []string
	walk(n, func(key string, v *yaml.Node) {
		if key == "input" {
			asked = keysOf(v)
		}
	})
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`!input (\w+)`).FindAllStringSubmatch(text, -1) {
		used[m[1]] = true
		if !slices.Contains(asked, m[1]) {
			t.Errorf("!input %s is not asked for", m[1])
		}
	}
	for _, name := range asked {
		if !used[name] {
			t.Errorf("%s is asked for, and not used", name)
		}
	}
	for _, block := range blocks(t) {
		if strings.HasPrefix(block, "use_blueprint") {
			walk(load(t, block), func(key string, v *yaml.Node) {
				if key == "input" {
					filled = keysOf(v)
				}
				if key == "path" && v.Value != "camqtt/snap-and-notify.yaml" {
					t.Errorf("path %s", v.Value)
				}
			})
		}
	}
	slices.Sort(asked)
	slices.Sort(filled)
	if !slices.Equal(asked, filled) {
		t.Errorf("the example fills in %v, the blueprint asks for %v", filled, asked)
	}
}

// TestHomeAssistantStreams plays what the page gives to Home Assistant's camera
// integrations and to go2rtc, which read as ffmpeg and a plain client do.
func TestHomeAssistantStreams(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	gives(t, d.http, "porch")
	seen := 0
	for _, m := range regexp.MustCompile("`(http://hub\\.local:8080/cam/front/(snapshot|stream)[^`]*)`").FindAllStringSubmatch(homePage(t), -1) {
		seen++
		url := strings.Replace(strings.Replace(m[1], "http://hub.local:8080", d.http, 1), "/front/", "/porch/", 1)
		if m[2] == "snapshot" {
			for _, method := range []string{"HEAD", "GET"} {
				r, err := http.NewRequest(method, url, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "image/jpeg" {
					t.Errorf("%s %s: %s %v", method, url, resp.Status, resp.Header)
				}
			}
			continue
		}
		out, stderr, status := testkit.Run(t, testkit.Tool(t, "ffmpeg"), "-loglevel", "error", "-f", "mpjpeg",
			"-i", url, "-frames:v", "10", "-f", "framecrc", "-")
		if n := strings.Count(string(out), "\n0,"); status != 0 || n != 10 {
			t.Errorf("ffmpeg plays %d pictures of %s: exit %d %s", n, url, status, stderr)
		}
	}
	if seen < 3 {
		t.Errorf("%d addresses in the page", seen)
	}
}

// TestHomeAssistantLink: the link on a device's page is the dashboard's, at that
// camera; what is configured wins.
func TestHomeAssistantLink(t *testing.T) {
	t.Parallel()
	for want, pairs := range map[string][]string{
		"http://127.0.0.1:":               nil,
		"https://cams.example/page#front": {"homeassistant.url=https://cams.example/page"},
	} {
		h := startHub(t, append(pairs, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.front.source=test:")...)
		p := place{addr: strings.TrimPrefix(h.mqtt, "mqtt://")}
		home := p.home(t, true)
		home.Await("switch.front_live", "off")
		got := home.Devices()["camqtt_front"].URL
		if pairs == nil {
			want = h.http + "/#front"
		} else {
			want = strings.Replace(want, "page#", "page/#", 1)
		}
		if got != want {
			t.Errorf("link %s, want %s", got, want)
		}
	}
	if _, stderr, status := camqtt(t, "check", "-c", "cameras.front.source=test:", "-c", "mqtt.url=mqtt://h", "-c", "homeassistant.url=hub:8080"); status != 2 || !strings.Contains(stderr, "homeassistant.url") {
		t.Errorf("exit %d: %s", status, fmt.Sprint(stderr))
	}
}
