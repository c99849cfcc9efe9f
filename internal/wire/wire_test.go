package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"camqtt/internal/wire"
)

var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func TestParseID(t *testing.T) {
	for in, problem := range map[string]string{
		"porch": "", "a": "", "0-cam_2": "", strings.Repeat("a", 32): "",
		"":                      "empty",
		"a/b":                   "character '/'",
		"a+":                    "character '+'",
		"a#":                    "character '#'",
		"a b":                   "character ' '",
		"a.b":                   "character '.'",
		"Porch":                 "capital 'P'",
		"_all":                  "begins with '_'",
		"-x":                    "begins with '-'",
		"türe":                  "character 'ü'",
		strings.Repeat("a", 33): "33 characters",
	} {
		_, err := wire.ParseID(in)
		switch {
		case problem == "" && err != nil:
			t.Errorf("ParseID(%q): %v", in, err)
		case problem != "" && (err == nil || !strings.Contains(err.Error(), problem)):
			t.Errorf("ParseID(%q) = %v, want a word on %s", in, err, problem)
		}
	}
}

func TestParseBase(t *testing.T) {
	for in, ok := range map[string]bool{
		"": true, "cam": true, "site/a-1/cam": true, "/cam": false, "cam/": false, "a//b": false, "a/+": false, "a/#": false, "a b": false,
		strings.Repeat("x", 101): false,
	} {
		if _, err := wire.ParseBase(in); (err == nil) != ok {
			t.Errorf("ParseBase(%q) = %v, want ok %v", in, err, ok)
		}
	}
	if got := wire.Base("site/a").Topic("porch", wire.KindFrame); got != "site/a/porch/frame" {
		t.Errorf("topic %q", got)
	}
}

func TestSplitRefuses(t *testing.T) {
	for _, topic := range []string{
		"", "cam", "cam/porch", "cam/porch/", "cam/porch/nonsense", "cam/Porch/frame", "cam/_all/cmd",
		"dam/porch/frame", "cam/porch/set/", "cam/porch/set/a/b", "cam/porch/snapshot/x", "cam/porch/frame/x",
	} {
		if id, kind, ok := wire.Base("").Split(topic); ok {
			t.Errorf("Split(%q) = %q %q, want no camera topic", topic, id, kind)
		}
	}
}

func TestParseCommand(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want wire.Command
	}{
		"word":        {"snap", wire.Command{Verb: wire.Snap}},
		"newline":     {"snap\n", wire.Command{Verb: wire.Snap}},
		"capital":     {"Snap", wire.Command{Verb: wire.Snap}},
		"pairs":       {"snap id=a1 max_age=2s size=640x480 quality=80", wire.Command{Verb: wire.Snap, ID: "a1", MaxAge: 2 * time.Second, Size: wire.Size{Width: 640, Height: 480}, Quality: 80}},
		"json":        {`{"cmd":"snap","id":"a1"}`, wire.Command{Verb: wire.Snap, ID: "a1"}},
		"json types":  {`{"cmd":"start","fps":2.5,"for":30,"viewer":"w-1","quality":"70"}`, wire.Command{Verb: wire.Start, FPS: 2.5, For: 30 * time.Second, Viewer: "w-1", Quality: 70}},
		"json more":   {`{"cmd":"stop","colour":{"of":["the","moon"]},"viewer":null}`, wire.Command{Verb: wire.Stop}},
		"json number": {`{"cmd":"hello","id":17}`, wire.Command{Verb: wire.Hello, ID: "17"}},
		"fresh ts":    {`{"cmd":"snap","ts":"2026-01-31T11:59:31.000Z"}`, wire.Command{Verb: wire.Snap, Sent: now.Add(-29 * time.Second)}},
		"NUL":         {"snap\x00", wire.Command{Verb: wire.Snap}},
		"a buffer":    {"snap id=a1\x00\x00\x00\x00", wire.Command{Verb: wire.Snap, ID: "a1"}},
		"CR LF":       {"snap\r\n", wire.Command{Verb: wire.Snap}},
		"BOM":         {"\xef\xbb\xbfsnap", wire.Command{Verb: wire.Snap}},
		"UTF-16LE":    {"\xff\xfes\x00n\x00a\x00p\x00\r\x00\n\x00", wire.Command{Verb: wire.Snap}},
		"UTF-16BE":    {"\xfe\xff\x00s\x00n\x00a\x00p", wire.Command{Verb: wire.Snap}},
		"JSON string": {`"snap id=a1"`, wire.Command{Verb: wire.Snap, ID: "a1"}},
		"JSON twice":  {`"{\"cmd\":\"snap\"}"`, wire.Command{Verb: wire.Snap}},
		"fraction":    {`{"cmd":"snap","quality":80.0}`, wire.Command{Verb: wire.Snap, Quality: 80}},
		"fractions":   {"snap quality=80.0 size=640.0x480.0", wire.Command{Verb: wire.Snap, Quality: 80, Size: wire.Size{Width: 640, Height: 480}}},
		"Python":      {"{'cmd': 'snap', 'id': None, 'quality': 80}", wire.Command{Verb: wire.Snap, Quality: 80}},
		"future ts":   {`{"cmd":"snap","ts":"2026-01-31T14:00:00+01:00"}`, wire.Command{Verb: wire.Snap, Sent: now.Add(time.Hour)}},
	} {
		got, err := wire.ParseCommand([]byte(c.in), now)
		if err != nil || got != c.want {
			t.Errorf("%s: ParseCommand(%q) = %+v, %v, want %+v", name, c.in, got, err, c.want)
		}
	}
}

func TestCommandsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		in, cmd, id string
		code        wire.Code
		text        string
	}{
		"unknown":         {"shoot", "shoot", "", wire.UnknownCommand, "snap, still, start, stop or hello"},
		"nothing":         {"  ", "", "", wire.UnknownCommand, "no command word"},
		"long unknown":    {strings.Repeat("x", 500), strings.Repeat("x", 32) + "...", "", wire.UnknownCommand, "not a command"},
		"control":         {"a\x1b[31m", "a?[31m", "", wire.UnknownCommand, `"a?[31m"`},
		"not UTF-8":       {"\xff\xfd", "??", "", wire.UnknownCommand, "not a command"},
		"1 MB":            {strings.Repeat("snap ", 200_000), "", "", wire.BadArgument, "at most 4096"},
		"bad JSON":        {`{"cmd":"snap"`, "", "", wire.BadArgument, "not valid JSON"},
		"JSON array":      {`[1]`, "[1]", "", wire.UnknownCommand, "not a command"},
		"JSON no cmd":     {`{"id":"a1"}`, "", "a1", wire.UnknownCommand, "no command word"},
		"JSON unknown":    {`{"cmd":"x","id":"a1"}`, "x", "a1", wire.UnknownCommand, "not a command"},
		"typo keeps id":   {"snap sise=1x1 id=a7", "snap", "a7", wire.BadArgument, `"sise=1x1" is not an argument of snap: want id= max_age= size= quality=`},
		"no value":        {"snap now", "snap", "", wire.BadArgument, "not an argument"},
		"negative fps":    {"start fps=-1", "start", "", wire.BadArgument, "fps"},
		"zero fps":        {"start fps=0", "start", "", wire.BadArgument, "fps"},
		"fps nan":         {"start fps=NaN", "start", "", wire.BadArgument, "fps"},
		"fps inf":         {`{"cmd":"start","fps":1e999}`, "start", "", wire.BadArgument, "fps"},
		"endless for":     {"start for=1e9h", "start", "", wire.BadArgument, "for: duration"},
		"zero for":        {"start for=0s", "start", "", wire.BadArgument, "more than 0s"},
		"too long for":    {"start for=25h", "start", "", wire.BadArgument, "at most 24h"},
		"size":            {"snap size=0x0", "snap", "", wire.BadArgument, "WIDTHxHEIGHT"},
		"huge size":       {"snap size=30000x30000", "snap", "", wire.BadArgument, "16384"},
		"quality":         {"snap quality=101", "snap", "", wire.BadArgument, "1 to 100"},
		"viewer manual":   {"start viewer=manual", "start", "", wire.BadArgument, "viewer"},
		"long id":         {"snap id=" + strings.Repeat("i", 65), "snap", "", wire.BadArgument, "id"},
		"object argument": {`{"cmd":"snap","size":{"w":1}}`, "snap", "", wire.BadArgument, "size: want text or a number"},
		"bad ts":          {`{"cmd":"snap","ts":"yesterday"}`, "snap", "", wire.BadArgument, "RFC 3339"},
		"expired":         {`{"cmd":"snap","id":"a1","ts":"2026-01-31T11:59:29.000Z"}`, "snap", "a1", wire.Expired, "31s old"},
	} {
		_, err := wire.ParseCommand([]byte(c.in), now)
		var r *wire.Refusal
		if !errors.As(err, &r) {
			t.Errorf("%s: ParseCommand(%.60q) = %v, want a refusal", name, c.in, err)
			continue
		}
		if r.Cmd != c.cmd || r.ID != c.id || r.Code != c.code || !strings.Contains(r.Text, c.text) {
			t.Errorf("%s: refused %+v, want cmd %q, id %q, %s and a word on %q", name, *r, c.cmd, c.id, c.code, c.text)
		}
		if len(r.Text) > 300 {
			t.Errorf("%s: the text has %d bytes", name, len(r.Text))
		}
	}
}

func TestParseSet(t *testing.T) {
	changes, id, err := wire.ParseSet([]byte(`{"quality":70,"fps":"5","id":"s1","privacy":true}`))
	want := []wire.Change{{Setting: wire.SetFPS, Number: 5}, {Setting: wire.SetQuality, Number: 70}, {Setting: wire.SetPrivacy, On: true}}
	if err != nil || id != "s1" || len(changes) != 3 || changes[0] != want[0] || changes[1] != want[1] || changes[2] != want[2] {
		t.Errorf("ParseSet = %+v, %q, %v", changes, id, err)
	}
	for in, text := range map[string]string{
		`{}`:                               "no setting was given",
		`{"id":"a"}`:                       "no setting was given",
		`nonsense`:                         "not a JSON object",
		`{"fps":5,"colour":"red"}`:         `"colour" is not a setting`,
		`{"fps":-5}`:                       "fps",
		`{"fps":[5]}`:                      "fps: want text",
		`{"privacy":"maybe"}`:              "on or off",
		`{"name":""}`:                      "1 to 64",
		`{"name":"a\u0007b"}`:              "printable",
		`{"preview_every":"10ms"}`:         "at least 1s",
		`{"snap_every":"10ms"}`:            "0s (never) or 1s",
		`{"x":"` + longText(4096) + `"}`:   "at most 4096",
		`{"max_stream":"-3s"}`:             "0s to 24h",
		`{"fps":1,"fps ":2,"zz":1,"aa":1}`: `"aa" is not`,
	} {
		changes, _, err := wire.ParseSet([]byte(in))
		var r *wire.Refusal
		if !errors.As(err, &r) || r.Code != wire.BadArgument || !strings.Contains(r.Text, text) || changes != nil {
			t.Errorf("ParseSet(%.60s) = %v, %v, want a refusal on %q", in, changes, err, text)
		}
	}
}

func longText(n int) string { return strings.Repeat("y", n) }

func TestParseSetKey(t *testing.T) {
	for key, value := range map[string]string{
		"fps": "2.5", "size": "640x480", "quality": "1", "privacy": "ON", "name": "Front door", "preview_every": "5",
		"keep_warm": "0", "max_stream": "0s", "snap_every": "15m", "retain_pictures": "false", "motion": "off",
	} {
		if c, err := wire.ParseSetKey(key, []byte(value+"\n")); err != nil || string(c.Setting) != key {
			t.Errorf("ParseSetKey(%s, %s) = %+v, %v", key, value, c, err)
		}
	}
	for value, want := range map[string]wire.Change{
		"quality 80.0":             {Setting: wire.SetQuality, Number: 80},
		"fps 5.0":                  {Setting: wire.SetFPS, Number: 5},
		"size 320x240\x00":         {Setting: wire.SetSize, Size: wire.Size{Width: 320, Height: 240}},
		"flash 50.0\r\n":           {Setting: wire.SetFlash, Number: 50},
		"privacy \xef\xbb\xbfTrue": {Setting: wire.SetPrivacy, On: true},
		"name \"Front door\"":      {Setting: wire.SetName, Text: "Front door"},
	} {
		key, value, _ := strings.Cut(value, " ")
		if c, err := wire.ParseSetKey(key, []byte(value)); err != nil || c != want {
			t.Errorf("ParseSetKey(%s, %q) = %+v, %v, want %+v", key, value, c, err, want)
		}
	}
	for _, value := range []string{"80.5", "", ".0", "8 0"} {
		if c, err := wire.ParseSetKey("quality", []byte(value)); err == nil {
			t.Errorf("ParseSetKey(quality, %q) = %+v, want a refusal", value, c)
		}
	}
	if _, err := wire.ParseSetKey("color", []byte("red")); err == nil || !strings.Contains(err.Error(), "fps size quality") {
		t.Errorf("unknown key: %v, want the list of settings", err)
	}
}

func TestTimeForm(t *testing.T) {
	b, err := json.Marshal(wire.At(time.Date(2026, 1, 31, 13, 0, 0, 5_999_999, time.FixedZone("", 3600))))
	if err != nil || string(b) != `"2026-01-31T12:00:00.005Z"` {
		t.Errorf("time is written %s, %v", b, err)
	}
}

// TestWordsComeBack parses what Words writes.
func TestWordsComeBack(t *testing.T) {
	c := wire.Command{
		Verb: wire.Start, ID: "a", Viewer: "b", For: 1500 * time.Millisecond, FPS: 0.2,
		Size: wire.Size{Width: 320, Height: 240}, Quality: 9,
	}
	if got, err := wire.ParseCommand([]byte(c.Words()), now); err != nil || got != c {
		t.Errorf("%q came back as %+v, %v", c.Words(), got, err)
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"cam/porch/frame", "cam/porch/set/fps", "cam/_all/cmd", "cam//", "x"} {
		f.Add("cam", s)
	}
	f.Fuzz(func(t *testing.T, base, topic string) {
		b, err := wire.ParseBase(base)
		if err != nil {
			return
		}
		if id, k, ok := b.Split(topic); ok && b.Topic(id, k) != topic {
			t.Errorf("Split(%q) = %q, %q does not come back", topic, id, k)
		}
	})
}

func FuzzParseCommand(f *testing.F) {
	for _, s := range []string{
		"snap", "snap id=a max_age=2s", `{"cmd":"start","fps":5,"viewer":"v"}`, `{"cmd":"snap","ts":"2026-01-31T12:00:00Z"}`,
		"start fps=1e400", "stop viewer=\x00", `{"cmd":{"cmd":"snap"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := wire.ParseCommand(in, now)
		if err != nil {
			var r *wire.Refusal
			if !errors.As(err, &r) || r.Code == wire.OK || r.Text == "" || len(r.Text) > 1000 {
				t.Fatalf("ParseCommand(%q) = %v, want a short refusal", in, err)
			}
			return
		}
		c.Sent = time.Time{} // words have none
		if again, err := wire.ParseCommand([]byte(c.Words()), now); err != nil || again != c {
			t.Errorf("%+v written as %q came back as %+v, %v", c, c.Words(), again, err)
		}
	})
}

func FuzzParseSet(f *testing.F) {
	f.Add([]byte(`{"fps":5,"name":"a","id":1}`))
	f.Add([]byte(`{"size":"1x1","snap_every":"1s"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		changes, _, err := wire.ParseSet(in)
		if (err == nil) != (len(changes) > 0) {
			t.Errorf("ParseSet(%q) = %v, %v", in, changes, err)
		}
	})
}
