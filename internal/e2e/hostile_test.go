package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"camqtt/internal/config"
	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// nasty are texts that do harm where somebody takes them for more than text.
func nasty() []string {
	return []string{
		`<img src=x onerror="window.hacked=1">`,
		`"><svg/onload=window.hacked=1><script>window.hacked=1</script>`,
		`javascript:window.hacked=1//`,
		"\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u2066\u200f",
		"x\nlevel=ERROR msg=forged\r\n2026-01-01 forged\u2028forged",
		`{{constructor.constructor('window.hacked=1')()}}${window.hacked=1}`,
		strings.Repeat("W", 60_000),
		strings.Repeat("a\u0301\u0302\u0303", 5_000),
	}
}

// bomb is a JPEG of a few bytes that claims 30,000 x 30,000 pixels.
func bomb() []byte {
	b := append([]byte{0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 30000 >> 8, 30000 & 255, 30000 >> 8, 30000 & 255, 3}, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1)
	b = append(b, 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0)
	return append(append(b, make([]byte, 300)...), 0xff, 0xd9)
}

// poisoned puts a text into every field of everything that cameras publish.
func poisoned(id wire.ID, text string) []wire.Message {
	doc := func(v map[string]any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err) // strings and numbers only
		}
		return b
	}
	fields := map[string]any{"v": 1, "id": text, "cmd": text, "ok": false, "code": text, "text": text, "seq": 7, "bytes": 1e300, "took_ms": -1}
	for _, k := range []string{
		"name", "model", "source", "version", "host", "event_type", "ts", "captured", "last_frame", "sha256", "viewer", "reply", "topic", "serial",
	} {
		fields[k] = text
	}
	state := map[string]any{
		"v": 1, "streaming": text, "viewers": 1e300, "fps": -1, "width": 1e300, "height": text, "last_frame": text,
		"error": map[string]any{"code": text, "text": text},
	}
	stats := map[string]any{"v": 1, "ts": text, "every": 1e300, "uptime": text, "temperature": 1e300, "signal": text, text[:min(len(text), 100)]: text}
	info := map[string]any{"sizes": []any{text, "99999x99999", -1, map[string]any{}}, "max_fps": 1e300}
	for k, v := range fields {
		info[k] = v
	}
	var out []wire.Message
	for kind, payload := range map[wire.Kind][]byte{
		wire.KindInfo: doc(info), wire.KindState: doc(state), wire.KindStats: doc(stats), wire.KindEvent: doc(fields),
		wire.KindResult: doc(fields), wire.KindMeta: doc(fields), wire.KindMotion: []byte(text),
	} {
		out = append(out, wire.Message{Topic: "cam/" + string(id) + "/" + string(kind), Payload: payload, QoS: 1, Retained: kind == wire.KindInfo || kind == wire.KindState})
	}
	return append(out, wire.Message{Topic: "cam/" + string(id) + "/status", Payload: []byte(wire.Online), QoS: 1, Retained: true})
}

// hostile answers every command with poison, as a camera that was taken over; with
// lies it claims to have taken a picture.
func hostile(t *testing.T, broker string, lies *atomic.Bool) *mqttclient.Link {
	t.Helper()
	commands := make(chan wire.Message, 100)
	l, err := mqttclient.New(mqttclient.Options{
		URLs: []string{broker}, ClientID: "hostile", Log: testkit.Log(t),
		Subscriptions: []mqttclient.Subscription{{Filter: "cam/+/cmd", QoS: 1}},
		Receive: func(m wire.Message) {
			select {
			case commands <- m:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := testContext(t)
	done := make(chan error, 2)
	go func() { done <- l.Serve(ctx) }() // ends with stop
	go func() {                          // ends with stop
		defer func() { done <- nil }()
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-commands:
				id := strings.Split(m.Topic, "/")[1]
				if id == "porch" {
					continue
				}
				var asked struct{ Cmd, ID string }
				_ = json.Unmarshal(m.Payload, &asked) // a plain word: no id
				at, _ := strconv.Atoi(strings.TrimPrefix(id, "evil"))
				answer, _ := json.Marshal(map[string]any{
					"v": 1, "cmd": asked.Cmd, "id": asked.ID, "ok": lies.Load(), "bytes": 7, "code": "<b>busy</b>", "text": nasty()[at%len(nasty())],
				})
				_ = l.Publish(ctx, wire.Message{Topic: "cam/" + id + "/result", Payload: answer, QoS: 1}) // the test looks at what the page shows
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done; <-done })
	if err := l.Await(ctx); err != nil {
		t.Fatal(err)
	}
	return l
}

// canary notices scripts that run, and whatever the policy had to stop.
const canary = `(() => {
	window.violations = [];
	document.addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));
	return true;
})()`

// press presses a button of every hostile camera. told then has how each went: the notes
// themselves do not stay.
func press(b *testkit.Browser, button string) {
	testkit.Eval[bool](b, `(() => {
		window.told = new Map();
		for (const tile of document.querySelectorAll('cam-tile:not([data-id=porch])')) {
			const note = tile.querySelector('[data-part=note]');
			new MutationObserver(() => /^(good|bad)$/.test(note.dataset.tone) && note.textContent !== '' && told.set(tile.dataset.id, note.dataset.tone)).observe(note, {attributes: true});
			tile.querySelector('[data-part=`+button+`]').click();
		}
		return true;
	})()`)
}

// B10. What a camera says is text, a picture or nothing: it runs no script, forges no
// line of the log, takes no memory and breaks no layout.
func TestPageWithHostileCameras(t *testing.T) {
	t.Parallel()
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:")
	b := testkit.OpenBrowser(t, h.http+"/", 0, 0)
	b.Wait(frames + ` > 3`)
	testkit.Eval[bool](b, canary)
	before := memory(t, h)
	var lies atomic.Bool
	evil := hostile(t, h.mqtt, &lies)
	n := len(nasty())
	pictures := [][]byte{
		bomb(), []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked=1"/>`), []byte(`<html><script>window.hacked=1</script>`),
		{0xff, 0xd8, 0xff, 0xd9},
		{},
		bytes.Repeat([]byte{0xff}, 200_000), []byte("GIF89a"), []byte("\xff\xd8\xff\xe1\xff\xffExif\x00\x00MM\x00*\xff\xff\xff\xff\xff\xd9"),
	}
	for i, text := range nasty() {
		id := wire.ID("evil" + strconv.Itoa(i))
		msgs := poisoned(id, text)
		for _, kind := range []string{"frame", "preview", "snapshot"} {
			msgs = append(msgs, wire.Message{Topic: "cam/" + string(id) + "/" + kind, Payload: pictures[i%len(pictures)], Retained: kind != "frame"})
		}
		msgs = append(msgs, wire.Message{Topic: "cam/" + text[:min(len(text), 20)] + "/status", Payload: []byte("online"), QoS: 1})
		for _, m := range msgs {
			if strings.ContainsAny(m.Topic, "+#") || strings.ContainsFunc(m.Topic, unicode.IsControl) || !utf8.ValidString(m.Topic) {
				continue // the broker ends connections over those
			}
			if err := evil.Publish(t.Context(), m); err != nil {
				t.Fatalf("%s: %v", m.Topic, err)
			}
		}
	}
	b.Wait(`document.querySelectorAll('cam-tile').length === ` + strconv.Itoa(n+1))
	for range 5 { // while the tiles watch
		for i := range n {
			_ = evil.Publish(t.Context(), wire.Message{Topic: "cam/evil" + strconv.Itoa(i) + "/frame", Payload: pictures[i%len(pictures)]})
		}
	}
	for _, button := range []string{"snap", "start", "stop"} {
		press(b, button)
		b.Wait(`told.size === ` + strconv.Itoa(n) + ` && [...told.values()].every((tone) => tone === 'bad')`)
	}
	shot(t, b, "page-hostile")
	lies.Store(true) // what is kept on snapshot is then fetched, to be saved
	press(b, "snap")
	b.Wait(`told.size === ` + strconv.Itoa(n) + ` && [...told.values()].every((tone) => tone === 'good')`)
	if n := testkit.Eval[int](b, `document.querySelectorAll('cam-tile:not([data-id=porch]) [data-part=save]:not([hidden])').length`); n > 0 {
		t.Errorf("%d hostile pictures can be saved as pictures", n)
	}
	for i := range n {
		testkit.Eval[bool](b, `(location.hash = '#evil`+strconv.Itoa(i)+`') !== ''`)
		b.Wait(`document.querySelector('dialog[open]') !== null && document.querySelector('cam-focus').dataset.id === 'evil` + strconv.Itoa(i) + `'`)
		harmless(t, b)
	}
	shot(t, b, "page-hostile-focus")
	b.Press("\x1b")
	b.Viewport(390, 844)
	b.Wait(`innerWidth === 390`)
	harmless(t, b)
	shot(t, b, "page-hostile-phone")
	b.Viewport(1280, 900)
	b.Reload() // and what is retained, from the start
	b.Wait(frames + ` > 3 && document.querySelectorAll('cam-tile').length === ` + strconv.Itoa(n+1))
	harmless(t, b)
	if drawn := testkit.Eval[int](b, `[...document.querySelectorAll('cam-tile:not([data-id=porch])')].filter((e) => e.feed.last !== null).length`); drawn > 0 {
		t.Errorf("%d hostile pictures were drawn", drawn)
	}
	for _, path := range []string{"/cam/evil1/snapshot.jpg?timeout=2s&max_age=1h", "/cam/evil0/snapshot.jpg?timeout=2s&max_age=1h", "/api/cameras", "/metrics"} {
		notMarkup(t, h.http+path)
	}
	if after := memory(t, h); after > before+96<<20 {
		t.Errorf("memory went from %d to %d MB", before>>20, after>>20)
	}
	if out := must(t, "ls", "--broker", h.mqtt); regexp.MustCompile(`[\x1b\x07\x{202e}\x{2066}\x{2028}]`).MatchString(out) || strings.Contains(out, "\nlevel=ERROR") {
		t.Errorf("ls prints %.2000q", out)
	}
	log := h.p.Err()
	if regexp.MustCompile(`(?m)^(level=ERROR msg=forged|2026-01-01 forged)|[\x1b\x07\x{202e}\x{2028}]`).MatchString(log) || len(log) > 200_000 {
		t.Errorf("the log has %d bytes: %.3000q", len(log), log)
	}
}

// harmless looks at what a page has become.
func harmless(t *testing.T, b *testkit.Browser) {
	t.Helper()
	if testkit.Eval[bool](b, `'hacked' in window`) {
		t.Error("a script of a camera ran")
	}
	if v := testkit.Eval[[]string](b, `window.violations ?? []`); len(v) > 0 {
		t.Errorf("only the policy stopped %q", v)
	}
	if bad := testkit.Eval[string](b, `[...document.querySelectorAll('cam-tile *, cam-focus *')].filter((e) => /^(script|svg|img|iframe|object|embed|b)$/i.test(e.localName) || [...e.attributes].some((a) => /^on/.test(a.name) || (/^(href|src|action|formaction)$/.test(a.name) && /^\s*javascript:/i.test(a.value)))).map((e) => e.outerHTML).join()`); bad != "" {
		t.Errorf("there is markup: %s", bad)
	}
	if wide := testkit.Eval[string](b, `document.documentElement.scrollWidth > innerWidth ? 'the page' : [...document.querySelectorAll('cam-tile')].filter((e) => e.offsetWidth > innerWidth || e.offsetHeight > 1.5 * innerHeight).map((e) => e.dataset.id).join()`); wide != "" {
		t.Errorf("too large: %s", wide)
	}
}

// notMarkup asks for what must not become a page in a browser.
func notMarkup(t *testing.T, url string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	kind := resp.Header.Get("Content-Type")
	if resp.Header.Get("X-Content-Type-Options") != "nosniff" || strings.Contains(kind, "html") || strings.Contains(kind, "svg") ||
		strings.HasPrefix(kind, "image/") && !bytes.HasPrefix(body, []byte{0xff, 0xd8}) {
		t.Errorf("%s: %d %s %.100q", url, resp.StatusCode, kind, body)
	}
}

// memory is what the program has from the system, in bytes.
func memory(t *testing.T, h *hub) int64 {
	t.Helper()
	v, ok := figure(t, h, "go_memstats_sys_bytes")
	if !ok {
		t.Fatal("/metrics says nothing of memory")
	}
	return int64(v)
}

// B9. Where pictures come from is said by the configuration alone, and where an answer
// goes by topics.md: no command moves either.
func TestCommandsMoveNothing(t *testing.T) {
	t.Parallel()
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:")
	online(t, h.mqtt, "porch")
	p := place{addr: strings.TrimPrefix(h.mqtt, "mqtt://")}
	testkit.Until(t, "the hub has said what it says by itself", func() bool {
		kept := p.kept(t, "#")
		return kept["cam/_hub/discovery"] != "" && kept["homeassistant/device/camqtt_porch/config"] != ""
	})
	c := connect(t, h.mqtt, "porch")
	var elsewhere []string
	watch := strays(t, h.mqtt)
	send := func(topic, payload string) wire.Result {
		t.Helper()
		if err := c.Publish(t.Context(), wire.Message{Topic: "cam/porch/" + topic, Payload: []byte(payload), QoS: 1}); err != nil {
			t.Fatal(err)
		}
		testkit.Until(t, topic+" has a result", func() bool { return c.count() > 0 })
		return c.take()[0]
	}
	settable := []string{}
	for _, s := range wire.Settings() {
		settable = append(settable, string(s))
	}
	keys := []string{"source", "url", "uri", "host", "address", "exec", "path", "device", "reply", "reply_to", "topic", "token"}
	for _, k := range config.Keys() {
		if name, ok := strings.CutPrefix(k.Name, "cameras."); ok {
			keys = append(keys, name)
		}
	}
	for _, key := range keys {
		if slices.Contains(settable, key) {
			continue
		}
		if r := send("set/"+key, "http://127.0.0.1:1/x"); r.OK {
			t.Errorf("set/%s: %+v", key, r)
		}
		if r := send("set", `{"`+key+`":"http://127.0.0.1:1/x"}`); r.OK {
			t.Errorf("set %s: %+v", key, r)
		}
	}
	for _, key := range []string{"reply", "reply_to", "response_topic", "topic", "source", "url", "to"} {
		for _, topic := range []string{"homeassistant/camera/x/config", "cam/garden/status", "$SYS/x", strings.Repeat("a", 5000)} {
			send("cmd", `{"cmd":"snap","id":"x","`+key+`":"`+topic+`"}`) // taken or refused: the answer comes where it belongs
		}
	}
	if elsewhere = watch(); len(elsewhere) > 0 {
		t.Errorf("something went to %q", elsewhere)
	}
}

// strays notes every topic outside cam/porch that anybody publishes from now on.
func strays(t *testing.T, url string) (seen func() []string) {
	t.Helper()
	topics := make(chan string, 1000)
	l := connected(t, mqttclient.Options{
		URLs: []string{url}, ClientID: "strays", Log: testkit.Log(t), Subscriptions: []mqttclient.Subscription{{Filter: "#", QoS: 1}},
		Receive: func(m wire.Message) {
			if !m.Retained && !strings.HasPrefix(m.Topic, "cam/porch/") && !strings.HasPrefix(m.Topic, "cam/_all/") {
				select {
				case topics <- m.Topic:
				default:
				}
			}
		},
	})
	const last = "strays/last" // comes after everything that was published before it
	return func() (all []string) {
		t.Helper()
		if err := l.Publish(t.Context(), wire.Message{Topic: last, QoS: 1}); err != nil {
			t.Fatal(err)
		}
		for {
			select {
			case s := <-topics:
				if s == last {
					return all
				}
				all = append(all, s)
			case <-time.After(testkit.Patience):
				t.Fatalf("%s has not come; before it %q", last, all)
			}
		}
	}
}
