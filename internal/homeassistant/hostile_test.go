package homeassistant

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"camqtt/internal/testkit/homeassistant"
	"camqtt/internal/wire"
)

func TestHostileTextBreaksNothing(t *testing.T) {
	evil := []string{
		`","components":{"x":{}},"y":"`, "a\nb\x00c\x1b[31m", "\xff\xfe\xfd", "{{ states('lock.door') }}",
		"'] }}{{ evil }}", strings.Repeat("长", 5000), "</script>\u2028\u202e", "   ", "front/../#+",
	}
	want := mustMessages(t, Options{}, fullInfo())[0].Topic
	for _, s := range evil {
		i := fullInfo()
		i.Name, i.Model, i.Source, i.Version, i.Host, i.Instance = s, s, s, s, s, s
		i.Sizes = append([]string{s, "1x1'] }}"}, i.Sizes...)
		i.Caps = append(i.Caps, s)
		for _, m := range []Mode{Device, Component} {
			o := Options{Mode: m, Version: s}
			msgs := mustMessages(t, o, i)
			if err := homeassistant.Check(o.prefix(), o.Base, msgs); err != nil {
				t.Errorf("%.40q: %v", s, err)
			}
			if m == Device && (len(msgs) != 1 || msgs[0].Topic != want) {
				t.Errorf("%.40q: published on %q", s, msgs[0].Topic)
			}
		}
		for key, c := range components(t, Options{}, i) {
			if other := components(t, Options{}, fullInfo())[key]; other["unique_id"] != c["unique_id"] || other["value_template"] != c["value_template"] {
				t.Errorf("%.40q changes %s: %v", s, key, c)
			}
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "",
		"  Front door ":                     "Front door",
		"Vorgarten süd ☂":                   "Vorgarten süd ☂",
		"a\tb\r\nc":                         "abc",
		"\x00\x7f":                          "",
		"a\xffb\ufffdc":                     "abc",
		"a\u202eb\u200b":                    "ab",
		strings.Repeat("é", 100):            strings.Repeat("é", 64),
		strings.Repeat("x", 63) + " " + "y": strings.Repeat("x", 63),
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%.40q) = %q, want %q", in, got, want)
		}
	}
}

func TestNamesFallBack(t *testing.T) {
	for _, c := range []struct{ name, model, source, want string }{
		{"Porch", "C270", "v4l2", `"name":"Porch","model":"C270"`},
		{"", "", "rpicam", `"name":"front","model":"rpicam camera"`},
		{"\x00", "\n", "", `"name":"front"},`},
	} {
		payload := string(mustMessages(t, Options{}, wire.Info{ID: "front", Name: c.name, Model: c.model, Source: c.source})[0].Payload)
		if !strings.Contains(payload, c.want) {
			t.Errorf("name %q, model %q, source %q: want %s in %.200s", c.name, c.model, c.source, c.want, payload)
		}
	}
}

// The node writes sizes in one way only; what is offered must be comparable
// with that, and no more than people can look through.
func TestSizesAreWrittenAnew(t *testing.T) {
	i := wire.Info{ID: "a", Caps: []string{"size"}, Sizes: []string{"+640X0480", "640x480", "1280x720", "0x5", ""}}
	c := components(t, Options{}, i)["size"]
	if got, want := fmt.Sprint(c["options"]), "[640x480 1280x720]"; got != want {
		t.Errorf("options %s, want %s", got, want)
	}
	for n := range 1000 {
		i.Sizes = append(i.Sizes, fmt.Sprintf("%dx1", n+1))
	}
	if got := len(components(t, Options{}, i)["size"]["options"].([]any)); got != maxSizes {
		t.Errorf("%d options, want %d", got, maxSizes)
	}
}

func TestSlug(t *testing.T) {
	for in, want := range map[string]string{"front": "front", "a-b": "a_b", "a__b-": "a_b", "a_": "a", "0": "0"} {
		if got := slug(in); got != want {
			t.Errorf("slug(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzMessages gives every text of an info, which may come from a camera that
// is not ours, to the rules of Home Assistant.
func FuzzMessages(f *testing.F) {
	f.Add("front", "Front door", "imx708", "rpicam", "1.2.3", "640x480 1280x720", "size fps quality motion", 10.0)
	f.Add("a_", "\xff\"}", "{{", "'", "\x00", "1x1 1X1 16384x16384 ']}}", "size", 0.001)
	f.Add("0-_", "", "", "", "", "", "", -1.0)
	f.Fuzz(func(t *testing.T, id, name, model, source, version, sizes, caps string, fps float64) {
		info := wire.Info{
			ID: wire.ID(id), Name: name, Model: model, Source: source, Version: version,
			Sizes: strings.Split(sizes, " "), Caps: strings.Split(caps, " "), MaxFPS: fps,
		}
		for _, m := range []Mode{Device, Component} {
			o := Options{Mode: m, Version: version}
			msgs, err := o.Messages(info)
			if _, bad := wire.ParseID(id); (err != nil) != (bad != nil) {
				t.Fatalf("Messages: %v, id: %v", err, bad)
			}
			if err := homeassistant.Check(o.prefix(), o.Base, msgs); err != nil {
				t.Fatal(err)
			}
			for _, msg := range msgs {
				if len(msg.Payload) > 20_000 || !utf8.Valid(msg.Payload) || len(msg.Payload) > 0 && !json.Valid(msg.Payload) {
					t.Fatalf("%s: payload of %d bytes", msg.Topic, len(msg.Payload))
				}
			}
		}
	})
}
