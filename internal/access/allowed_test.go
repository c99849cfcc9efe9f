package access_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"camqtt/internal/access"
	"camqtt/internal/testkit/rights"
	"camqtt/internal/wire"
)

// people are the columns of rights.txt.
func people() map[string]access.Principal {
	front := []wire.ID{"front"}
	return map[string]access.Principal{
		"camera":    {Name: "front", Role: access.Camera, Cameras: front},
		"bridge":    {Name: "b", Role: access.Bridge, Cameras: []wire.ID{"front", "side"}},
		"viewer1":   {Name: "v1", Role: access.Viewer, Cameras: front},
		"viewer":    {Name: "v", Role: access.Viewer, All: true},
		"operator1": {Name: "o1", Role: access.Operator, Cameras: front},
		"operator":  {Name: "o", Role: access.Operator, All: true},
		"hass1":     {Name: "h1", Role: access.HomeAssistant, Cameras: front},
		"hass":      {Name: "h", Role: access.HomeAssistant, All: true},
		"admin":     {Name: "a", Role: access.Admin, All: true},
		"reader":    {Role: access.Reader},
		"anyone":    {Role: access.Anyone},
	}
}

func TestRights(t *testing.T) {
	letters := map[access.Action]string{access.Publish: "p", access.Retain: "r", access.Will: "w", access.Receive: "s"}
	_, table := rights.Table(t)
	for _, c := range wire.Channels() {
		for _, id := range []wire.ID{"front", "other"} {
			topic := wire.Base("").Topic(id, wire.Kind(strings.ReplaceAll(string(c.Kind), "<key>", "fps")))
			if table[topic] == nil {
				t.Errorf("rights.txt has no row for %s", topic)
			}
		}
	}
	n := 0
	for topic, row := range table {
		for column, p := range people() {
			for a, letter := range letters {
				n++
				if got, want := (access.Space{}).Allowed(p, a, topic), strings.Contains(row[column], letter); got != want {
					t.Errorf("%s, %s %s: %v, want %v", column, a, topic, got, want)
				}
			}
			n++
			kept := strings.Contains(row[column], "p") && strings.Contains(row[column], "r")
			if got, want := (access.Space{}).Allowed(p, access.Clear, topic), kept || strings.Contains(row[column], "c"); got != want {
				t.Errorf("%s, clear %s: %v, want %v", column, topic, got, want)
			}
			// A topic is a filter too.
			n++
			if got, want := (access.Space{}).Allowed(p, access.Subscribe, topic), strings.Contains(row[column], "s"); got != want {
				t.Errorf("%s, subscribe to %s: %v, want %v", column, topic, got, want)
			}
		}
	}
	t.Logf("%d cases", n)
}

// What a kind of topic is for rights follows the table of topics.md.
func TestRightsFollowChannels(t *testing.T) {
	own := access.Principal{Name: "front", Role: access.Camera, Cameras: []wire.ID{"front"}}
	for _, c := range wire.Channels() {
		topic := wire.Base("").Topic("front", wire.Kind(strings.ReplaceAll(string(c.Kind), "<key>", "fps")))
		if got := (access.Space{}).Allowed(own, access.Publish, topic); got != c.FromCamera {
			t.Errorf("a camera may publish %s: %v", topic, got)
		}
		if got, want := (access.Space{}).Allowed(own, access.Retain, topic), c.FromCamera && c.Retain != wire.Never; got != want {
			t.Errorf("a camera may retain %s: %v, want %v", topic, got, want)
		}
	}
}

// topics.md has a row for every role.
func TestRolesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../topics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n| role | publishes | reads |\n")
	first := ""
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		first += strings.Split(line, "|")[1]
	}
	for _, r := range access.Roles() {
		if !strings.Contains(first, "`"+r.String()+"`") {
			t.Errorf("topics.md has no row for the role %s", r)
		}
		if got, err := access.ParseRole(r.String()); err != nil || got != r {
			t.Errorf("ParseRole(%q) = %v, %v", r, got, err)
		}
	}
}

func TestNobodyAndNothing(t *testing.T) {
	for _, a := range []access.Action{access.Publish, access.Retain, access.Will, access.Receive, access.Subscribe, access.Clear, 99} {
		if (access.Space{}).Allowed(access.Principal{}, a, "cam/front/frame") {
			t.Errorf("nobody may %s", a)
		}
		if (access.Space{}).Allowed(access.Principal{Role: access.Admin}, a, "") {
			t.Errorf("an admin may %s the empty topic", a)
		}
	}
	if (access.Space{}).Allowed(access.Principal{Role: access.Hub}, 99, "cam/front/frame") {
		t.Error("an action that is none is allowed")
	}
	lost := access.Principal{Name: "v", Role: access.Viewer} // a list that was lost is not all
	if (access.Space{}).Allowed(lost, access.Receive, "cam/front/frame") || (access.Space{}).Allowed(lost, access.Subscribe, "cam/#") {
		t.Error("a viewer without a list sees a camera")
	}
}

func TestSystemTopics(t *testing.T) {
	for column, p := range people() {
		want := column == "admin" || column == "reader" || column == "anyone"
		for _, topic := range []string{"$SYS/broker/uptime", "$SYS"} {
			if got := (access.Space{}).Allowed(p, access.Receive, topic); got != want {
				t.Errorf("%s sees %s: %v", column, topic, got)
			}
		}
		for _, filter := range []string{"$SYS/#", "$share/g/$SYS/#"} {
			if got := (access.Space{}).Allowed(p, access.Subscribe, filter); got != want {
				t.Errorf("%s subscribes to %s: %v", column, filter, got)
			}
		}
		for _, topic := range []string{"$SYS/x", "$other", "$share/g/cam/front/cmd"} {
			for _, a := range []access.Action{access.Publish, access.Retain, access.Will} {
				if (access.Space{}).Allowed(p, a, topic) {
					t.Errorf("%s may %s %s", column, a, topic)
				}
			}
		}
		if (access.Space{}).Allowed(p, access.Subscribe, "$other/#") {
			t.Errorf("%s subscribes to $other/#", column)
		}
	}
}

func TestFilters(t *testing.T) {
	for filter, want := range map[string]string{ // who may: the columns that have a list of one camera, or one at all
		"#":                               "camera bridge viewer1 viewer operator1 operator hass1 hass",
		"+/#":                             "camera bridge viewer1 viewer operator1 operator hass1 hass",
		"cam/#":                           "camera bridge viewer1 viewer operator1 operator hass1 hass",
		"cam/+/frame":                     "viewer1 viewer operator1 operator hass1 hass",
		"+/front/frame":                   "viewer1 viewer operator1 operator hass1 hass",
		"cam/front/#":                     "camera bridge viewer1 viewer operator1 operator hass1 hass",
		"cam/front/+":                     "camera bridge viewer1 viewer operator1 operator hass1 hass",
		"cam/front/snapshot/#":            "viewer1 viewer operator1 operator hass1 hass",
		"cam/front/set/+":                 "camera bridge",
		"cam/+/set/#":                     "camera bridge",
		"cam/+/cmd":                       "camera bridge",
		"cam/_all/#":                      "camera bridge",
		"cam/_all/frame":                  "",
		"cam/other/#":                     "viewer operator hass",
		"cam/other/frame":                 "viewer operator hass",
		"cam/side/#":                      "bridge viewer operator hass",
		"$share/g/cam/front/frame":        "viewer1 viewer operator1 operator hass1 hass",
		"$share/g/cam/other/frame":        "viewer operator hass",
		"$SHARE/g/cam/+/frame":            "viewer1 viewer operator1 operator hass1 hass",
		"$share/g":                        "",
		"$share":                          "",
		"cam":                             "",
		"cam/+":                           "",
		"cam/Front/frame":                 "",
		"cam/front/secret":                "",
		"cam/front/frame/+":               "",
		"cam/+/+/+":                       "camera bridge viewer1 viewer operator1 operator hass1 hass",
		"cam/+/+/+/+":                     "",
		"homeassistant/#":                 "camera bridge hass1 hass",
		"homeassistant/+":                 "camera bridge hass1 hass",
		"homeassistant/status":            "camera bridge hass1 hass",
		"homeassistant/+/+/config":        "hass1 hass",
		"homeassistant/device/x/config/#": "hass1 hass",
		"elsewhere/#":                     "",
	} {
		for column, p := range people() {
			may := slices.Contains(strings.Fields(want), column) || p.Role == access.Admin || p.Name == ""
			if filter == "$share" || filter == "$share/g" {
				may = false
			}
			if got := (access.Space{}).Allowed(p, access.Subscribe, filter); got != may {
				t.Errorf("%s subscribes to %s: %v, want %v", column, filter, got, may)
			}
		}
	}
}

func TestOtherSpace(t *testing.T) {
	s := access.Space{Base: "site/a/cam", Discovery: "ha"}
	v := people()["viewer1"]
	for topic, want := range map[string]bool{"site/a/cam/front/frame": true, "site/a/cam/other/frame": false, "cam/front/frame": false, "site/a/camera/front/frame": false} {
		if got := s.Allowed(v, access.Receive, topic); got != want {
			t.Errorf("receive %s: %v", topic, got)
		}
	}
	for filter, want := range map[string]bool{"site/#": true, "site/+/cam/+/frame": true, "+/+/+/+/+": true, "site/b/#": false, "site/a": false, "site/a/cam": false} {
		if got := s.Allowed(v, access.Subscribe, filter); got != want {
			t.Errorf("subscribe to %s: %v", filter, got)
		}
	}
	h := people()["hass"]
	if !s.Allowed(h, access.Publish, "ha/status") || s.Allowed(h, access.Publish, "homeassistant/status") {
		t.Error("the discovery prefix does not count")
	}
}

func TestAllowedAllocatesNothing(t *testing.T) {
	s := access.Space{Base: "a/base/of/several/levels/that/is/long/cam"}
	topics := []string{string(s.Base) + "/front/frame", string(s.Base) + "/_all/cmd", "homeassistant/status", "cam/x", string(s.Base) + "/+/set/#", "$share/g/#"}
	for column, p := range people() {
		for _, a := range []access.Action{access.Publish, access.Retain, access.Will, access.Receive, access.Subscribe} {
			for _, topic := range topics {
				if n := testing.AllocsPerRun(10, func() { s.Allowed(p, a, topic) }); n != 0 {
					t.Errorf("%s, %s %s: %v allocations", column, a, topic, n)
				}
			}
		}
	}
}

// under reports whether a topic falls under a filter, level by level.
func under(filter, topic []string) bool {
	switch {
	case len(filter) == 1 && filter[0] == "#":
		return true
	case len(filter) == 0 || len(topic) == 0:
		return len(filter) == len(topic)
	case filter[0] != "+" && filter[0] != topic[0]:
		return false
	}
	return under(filter[1:], topic[1:])
}

// anybody draws an account, or somebody without one.
func anybody(t *rapid.T) access.Principal {
	p := access.Principal{Name: "x", Role: rapid.SampledFrom(append(access.Roles(), access.Reader, access.Anyone, access.Nobody)).Draw(t, "role")}
	p.Cameras = rapid.SliceOfN(rapid.SampledFrom([]wire.ID{"a", "b", "c"}), 0, 3).Draw(t, "cameras")
	p.All = p.Role > access.Bridge && rapid.Bool().Draw(t, "all")
	return p
}

// words are what levels of topics and filters are made of.
func words() []string {
	return []string{"cam", "a", "b", "d", "frame", "cmd", "set", "fps", "snapshot", "meta", "status", "result", "homeassistant", "device", "config"}
}

// everyTopic is every topic that the words below can make and somebody limited may see.
func everyTopic() []string {
	var all []string
	for _, id := range append(words(), "c", "_all") {
		for _, c := range wire.Channels() {
			if c.Kind != wire.KindSetKey {
				all = append(all, "cam/"+id+"/"+string(c.Kind))
			}
		}
		for _, key := range append(words(), "_all") {
			all = append(all, "cam/"+id+"/set/"+key)
		}
	}
	return append(all, "homeassistant/status", "homeassistant/device/a/config", "homeassistant/cam", "homeassistant/cam/a/frame", "homeassistant/fps")
}

// Whatever is delivered is allowed, and what is allowed can be had: a filter is
// accepted just when a topic under it may be received.
func TestProperty(t *testing.T) {
	if err := flag.Set("rapid.checks", "100000"); err != nil {
		t.Fatal(err)
	}
	levels := append(words(), "_all", "+", "+", "+")
	universe := everyTopic()
	var levelsOf [][]string
	for _, topic := range universe {
		levelsOf = append(levelsOf, strings.Split(topic, "/"))
	}
	cases := 0
	rapid.Check(t, func(t *rapid.T) {
		cases++
		p := anybody(t)
		filter := strings.Join(rapid.SliceOfN(rapid.SampledFrom(levels), 1, 5).Draw(t, "levels"), "/")
		if rapid.Bool().Draw(t, "open") {
			filter += "/#"
		}
		accepted := (access.Space{}).Allowed(p, access.Subscribe, filter)
		var seen string
		split := strings.Split(filter, "/")
		for i, topic := range universe {
			if under(split, levelsOf[i]) && (access.Space{}).Allowed(p, access.Receive, topic) {
				seen = topic
				break
			}
		}
		limited := p.Role != access.Admin && p.Role != access.Reader && p.Role != access.Anyone
		switch {
		case seen != "" && !accepted:
			t.Fatalf("%+v may receive %s but not subscribe to %s", p, seen, filter)
		case seen == "" && accepted && limited && p.Role != access.HomeAssistant:
			t.Fatalf("%+v may subscribe to %s, under which he may receive nothing", p, filter)
		}
		if topic := rapid.SampledFrom(universe).Draw(t, "topic"); (access.Space{}).Allowed(p, access.Receive, topic) {
			if !oracle(p, topic) {
				t.Fatalf("%+v receives %s", p, topic)
			}
			if !(access.Space{}).Allowed(p, access.Subscribe, topic) {
				t.Fatalf("%+v may receive %s but not subscribe to it", p, topic)
			}
		}
	})
	t.Logf("%d cases", cases)
}

// oracle says who may receive what, in other words than Allowed.
func oracle(p access.Principal, topic string) bool {
	l := strings.Split(topic, "/")
	toCamera := l[0] == "cam" && (l[2] == "cmd" || l[2] == "set")
	mine := l[0] == "cam" && (p.All || slices.Contains(p.Cameras, wire.ID(l[1])))
	switch p.Role {
	case access.Admin, access.Reader, access.Anyone:
		return true
	case access.Camera, access.Bridge:
		return mine && (toCamera || l[2] == "status" || l[2] == "info" || l[2] == "stats") || topic == "cam/_all/cmd" || topic == "homeassistant/status"
	case access.Viewer, access.Operator:
		return mine && !toCamera && l[1] != "_all"
	case access.HomeAssistant:
		return mine && !toCamera && l[1] != "_all" || l[0] == "homeassistant" && len(l) > 1
	}
	return false
}

func FuzzAllowed(f *testing.F) {
	for _, s := range []string{"cam/front/frame", "cam/+/#", "$share/g/cam/front/set/+", "$SYS/#", "cam//", "/", "#/", "cam/front/set/", "homeassistant/\x00", "$share//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		for column, p := range people() {
			for _, a := range []access.Action{access.Publish, access.Retain, access.Will, access.Receive, access.Subscribe} {
				got := (access.Space{}).Allowed(p, a, topic)
				if got && p.Role != access.Admin && p.Name != "" && a != access.Subscribe && !strings.HasPrefix(topic, "cam/") && !strings.HasPrefix(topic, "homeassistant/") {
					t.Errorf("%s may %s %q", column, a, topic)
				}
			}
		}
	})
}

func BenchmarkAllowed(b *testing.B) {
	bridge := access.Principal{Name: "b", Role: access.Bridge, Cameras: []wire.ID{"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "front"}}
	for _, bc := range []struct {
		name  string
		p     access.Principal
		a     access.Action
		topic string
	}{
		{"camera-publish", people()["camera"], access.Publish, "cam/front/frame"},
		{"bridge-of-11-publish", bridge, access.Publish, "cam/front/frame"},
		{"viewer-receive", people()["viewer"], access.Receive, "cam/front/frame"},
		{"viewer1-denied", people()["viewer1"], access.Receive, "cam/other/frame"},
		{"viewer1-subscribe-wildcard", people()["viewer1"], access.Subscribe, "cam/+/frame"},
		{"hub-receive", access.Principal{Role: access.Hub}, access.Receive, "cam/front/frame"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				(access.Space{}).Allowed(bc.p, bc.a, bc.topic)
			}
		})
	}
}

// TestServedCamera keeps accounts of cameras from publishing under a camera that the
// process serves itself. They read what is sent to it, and others have the rights they had.
func TestServedCamera(t *testing.T) {
	s := access.Space{Served: []wire.ID{"front"}}
	own := access.Principal{Name: "old", Role: access.Camera, Cameras: []wire.ID{"front"}}
	for _, topic := range []string{"cam/front/frame", "cam/front/status", "cam/front/snapshot"} {
		for _, a := range []access.Action{access.Publish, access.Retain, access.Will} {
			if s.Allowed(own, a, topic) {
				t.Errorf("a camera's account may %s %s", a, topic)
			}
			if !s.Allowed(access.Principal{Role: access.Hub}, a, topic) {
				t.Errorf("the hub itself may not %s %s", a, topic)
			}
		}
	}
	if !s.Allowed(own, access.Receive, "cam/front/cmd") || !s.Allowed(access.Principal{Role: access.Viewer, All: true}, access.Publish, "cam/front/cmd") {
		t.Error("commands to the camera are refused")
	}
}
