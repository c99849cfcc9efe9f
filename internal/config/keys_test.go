package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"camqtt/internal/config"
	"camqtt/internal/wire"
	"camqtt/node/camera/kinds"
)

const examples = "../../configs"

// fieldKeys lists the keys of a configuration by its struct.
func fieldKeys(t reflect.Type, up string) (keys []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[wire.Size](), t == reflect.TypeFor[time.Duration]():
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return fieldKeys(t.Elem(), up+".<id>")
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			name, inline, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			if !t.Field(i).IsExported() {
				continue
			}
			if inline == "inline" { // settings of cameras
				for _, row := range wire.SettingRows() {
					if row.Passed {
						keys = append(keys, up+"."+string(row.Setting))
					}
				}
				continue
			}
			keys = append(keys, fieldKeys(t.Field(i).Type, strings.TrimPrefix(up+"."+name, "."))...)
		}
		return keys
	}
	return []string{up}
}

func TestKeysAreTheFields(t *testing.T) {
	var names []string
	for _, k := range config.Keys() {
		names = append(names, k.Name)
	}
	fields := fieldKeys(reflect.TypeFor[config.Config](), "")
	slices.Sort(names)
	slices.Sort(fields)
	if !slices.Equal(names, fields) {
		t.Errorf("keys\n%q\nfields\n%q", names, fields)
	}
}

// TestSettingsAreKeys finds a key with the same default for every setting of a camera that
// can be configured.
func TestSettingsAreKeys(t *testing.T) {
	defaults := map[string]string{}
	for _, k := range config.Keys() {
		defaults[k.Name] = k.Default
	}
	for _, row := range wire.SettingRows() {
		if def, ok := defaults["cameras.<id>."+string(row.Setting)]; def != row.Default || ok != (row.Default != "") {
			t.Errorf("the key of %s has the default %q (%v), package wire %q", row.Setting, def, ok, row.Default)
		}
	}
}

func TestEnv(t *testing.T) {
	env := map[string]string{}
	for _, k := range config.Keys() {
		env[k.Name] = k.Env()
	}
	for name, want := range map[string]string{
		"base": "CAMQTT_BASE", "broker.tls.listen": "CAMQTT_BROKER_TLS_LISTEN", "mqtt.password_file": "CAMQTT_MQTT_PASSWORD_FILE",
		"cameras.<id>.max_image_bytes": "CAMQTT_CAMERAS_<ID>_MAX_IMAGE_BYTES", "cameras.<id>.id": "",
	} {
		if got := env[name]; got != want {
			t.Errorf("variable of %s: %q, want %q", name, got, want)
		}
	}
}

// TestEveryVariableWorks gives every key its default by its variable.
func TestEveryVariableWorks(t *testing.T) {
	base := config.Options{Sources: []string{"broker=", "cameras.front.source=test:"}}
	dashboard := base
	dashboard.Sources = append(slices.Clone(base.Sources), "dashboard=")
	for _, k := range config.Keys() {
		o, value := base, k.Default
		if strings.HasPrefix(k.Name, "dashboard.") {
			o = dashboard
		}
		if value == "" || value == `""` {
			continue // an empty variable is none
		}
		want := load(t, o)
		o.Environ = []string{strings.Replace(k.Env(), "<ID>", "FRONT", 1) + "=" + value}
		if got := load(t, o); !reflect.DeepEqual(got, want) {
			t.Errorf("%s changes more than nothing:\n%+v\n%+v", o.Environ, got, want)
		}
	}
}

// keyNodes finds every key of a file and the node of its value.
func keyNodes(n *yaml.Node, up string, found map[string][2]*yaml.Node) {
	switch n.Kind {
	case yaml.DocumentNode:
		keyNodes(n.Content[0], up, found)
	case yaml.SequenceNode:
		for _, item := range n.Content {
			keyNodes(item, up+".<id>", found)
		}
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			name := strings.TrimPrefix(up+"."+n.Content[i].Value, ".")
			found[name] = [2]*yaml.Node{n.Content[i], n.Content[i+1]}
			keyNodes(n.Content[i+1], name, found)
		}
	}
}

func TestFullExample(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(examples, "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	found := map[string][2]*yaml.Node{}
	keyNodes(&root, "", found)
	rows := lines(string(text))
	last := 0
	for _, k := range config.Keys() {
		node, ok := found[k.Name]
		if !ok {
			t.Errorf("%s is missing", k.Name)
			continue
		}
		if node[0].Line < last {
			t.Errorf("line %d: %s: want the order of the table of keys", node[0].Line, k.Name)
		}
		last = node[0].Line
		comment := rows[node[0].Line-2]
		if !strings.HasPrefix(strings.TrimSpace(comment), "# ") || len(comment) > 120 {
			t.Errorf("line %d: %s: comment %q, want one of at most 120 bytes", node[0].Line-1, k.Name, comment)
		}
		if above := rows[max(node[0].Line-3, 0)]; strings.HasPrefix(above, strings.Split(comment, "#")[0]+"#") {
			t.Errorf("line %d: %s: more than one line of comment", node[0].Line-2, k.Name)
		}
		for _, kind := range kinds.All() {
			if k.Name == "cameras.<id>.source" && !strings.Contains(comment, " "+kind.Scheme) {
				t.Errorf("line %d: %s is missing in %q", node[0].Line-1, kind.Scheme, comment)
			}
		}
		if _, got, _ := strings.Cut(rows[node[0].Line-1], ": "); k.Default != "" && got != k.Default {
			t.Errorf("line %d: %s: %s, want the default %s", node[0].Line, k.Name, got, k.Default)
		}
	}
	got := load(t, config.Options{Sources: []string{filepath.Join(examples, "full.yaml")}})
	want := load(t, config.Options{Sources: []string{"broker=", "dashboard=", "cameras.front.source=test:640x480"}})
	want.Broker.Data = filepath.Join(examples, want.Broker.Data) // relative to the file
	if !reflect.DeepEqual(got, want) {
		t.Errorf("full.yaml is not what the defaults are:\n%+v\n%+v", got, want)
	}
}
