package wire_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/wire"
)

// rows returns the cells of every row of the table below the line that begins
// with head.
func rows(t *testing.T, head string) [][]string {
	t.Helper()
	doc, err := os.ReadFile("../../topics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(doc), "\n"+head)
	if !ok {
		t.Fatalf("topics.md has no table that begins with %q", head)
	}
	var all [][]string
	for _, line := range strings.Split(table, "\n")[2:] { // after the head and its rule
		if !strings.HasPrefix(line, "|") {
			break
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		all = append(all, cells)
	}
	return all
}

var code = regexp.MustCompile("`([^`]+)`")

// words returns what stands in backquotes in a cell.
func words(cell string) []string {
	var all []string
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestTopicTable(t *testing.T) {
	var got []wire.Channel
	add := func(head string, from bool) {
		for _, cells := range rows(t, head) {
			topic := words(cells[0])[0]
			kind, ok := strings.CutPrefix(topic, "cam/<id>/")
			qos, err := strconv.Atoi(cells[2])
			if !ok || err != nil {
				t.Errorf("row %q: want cam/<id>/... and a QoS", cells)
				continue
			}
			got = append(got, wire.Channel{Kind: wire.Kind(kind), QoS: byte(qos), Retain: wire.Retain(cells[3]), FromCamera: from})
		}
	}
	add("| topic | payload | QoS | retained | when |", true)
	add("| topic | payload | QoS | retained | right |", false)
	if want := wire.Channels(); !slices.Equal(got, want) {
		t.Errorf("topics.md has\n%v\npackage wire has\n%v", got, want)
	}
	for _, c := range got {
		name := strings.ReplaceAll(string(c.Kind), "<key>", "fps")
		topic := wire.Base("cam").Topic("porch", wire.Kind(name))
		if id, kind, ok := wire.Base("cam").Split(topic); !ok || id != "porch" || string(kind) != name {
			t.Errorf("Split(%q) = %q %q %v", topic, id, kind, ok)
		}
	}
}

func TestCommandTable(t *testing.T) {
	seen := map[string]bool{}
	for _, cells := range rows(t, "| command | does |") {
		form := words(cells[0])[0]
		verb, rest, _ := strings.Cut(form, " ")
		seen[verb] = true
		values := map[string]string{
			"id": "a1", "max_age": "2s", "size": "640x480", "quality": "80", "fps": "5", "for": "30s", "viewer": "tok",
		}
		cmd := verb
		for _, m := range regexp.MustCompile(`\[(\w+)=\]`).FindAllStringSubmatch(rest, -1) {
			cmd += " " + m[1] + "=" + values[m[1]]
			delete(values, m[1])
		}
		if _, err := wire.ParseCommand([]byte(cmd), now); err != nil {
			t.Errorf("topics.md allows %q: %v", cmd, err)
		}
		for key, value := range values {
			if _, err := wire.ParseCommand([]byte(verb+" "+key+"="+value), now); err == nil {
				t.Errorf("%s takes %s, which topics.md does not say", verb, key)
			}
		}
	}
	for _, v := range wire.Verbs() {
		if !seen[string(v)] {
			t.Errorf("topics.md has no row for %s", v)
		}
	}
}

func TestSettingTable(t *testing.T) {
	var got, want []string
	for _, cells := range rows(t, "| setting | value |") {
		got = append(got, strings.Join(cells, " | "))
	}
	for _, row := range wire.SettingRows() {
		want = append(want, "`"+string(row.Setting)+"` | "+row.Meaning)
	}
	if !slices.Equal(got, want) {
		t.Errorf("topics.md has the settings\n%s\npackage wire has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestSettingDefaults reads the defaults of all settings that can be configured, and what
// Value writes of them.
func TestSettingDefaults(t *testing.T) {
	for _, row := range wire.SettingRows() {
		if row.Default == "" || row.Default == `""` || row.Setting == wire.SetQuality { // quality: 0 is none
			continue
		}
		c, err := wire.ParseChange(string(row.Setting), row.Default)
		if err != nil {
			t.Errorf("default of %s: %v", row.Setting, err)
		}
		if again, err := wire.ParseChange(string(row.Setting), c.Value()); err != nil || again != c {
			t.Errorf("%s is written %q, which is read as %+v, %v", row.Setting, c.Value(), again, err)
		}
	}
}

func TestCodeTable(t *testing.T) {
	var got []wire.Code
	for _, cells := range rows(t, "| code | means |") {
		got = append(got, wire.Code(words(cells[0])[0]))
	}
	if want := wire.Codes(); !slices.Equal(got, want) {
		t.Errorf("topics.md has codes %v, package wire %v", got, want)
	}
}

func TestJSONTable(t *testing.T) {
	want := map[string]any{
		"info": wire.Info{}, "state": wire.State{}, "snapshot/meta": wire.Meta{},
		"result": wire.Result{}, "event": wire.Event{}, "stats": wire.Stats{},
	}
	for _, cells := range rows(t, "| topic | keys |") {
		kind := words(cells[0])[0]
		v, ok := want[kind]
		if !ok {
			t.Errorf("topics.md describes the JSON of %q, which package wire does not have", kind)
			continue
		}
		delete(want, kind)
		var keys []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			keys = append(keys, key)
		}
		if got := words(cells[1]); !slices.Equal(got, keys) {
			t.Errorf("%s: topics.md has keys %v, package wire %v", kind, got, keys)
		}
	}
	for kind := range want {
		t.Errorf("topics.md has no row for the JSON of %s", kind)
	}
}
