package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"camqtt/internal/config"
)

// again loads what a configuration writes of itself.
func again(t *testing.T, cfg *config.Config) *config.Config {
	t.Helper()
	text, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(config.Options{ReadFile: files{"a.yaml": string(text)}.read, Sources: []string{"a.yaml"}, ClientOnly: true})
	if err != nil {
		t.Fatalf("%v\nin what was written:\n%s", err, text)
	}
	return got
}

func TestYAML(t *testing.T) {
	cfg := load(t, config.Options{Sources: []string{
		"broker.anonymous=never", "mqtt.url=mqtt://a mqtt://user:hunter2@b", "mqtt.username=yes", "mqtt.password=x",
		"cameras.front.source=http://user:hunter2@esp32/", "cameras.front.max_stream=90m", "cameras.front.snap_every=1h0m30s", "cameras.front.settle=500ms",
		"cameras.front.size=1280x720", "cameras.front.fps=0.5", "cameras.front.name=123", "cameras.front.rotate=90",
	}})
	got, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "effective.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestYAMLLoadsAgain(t *testing.T) {
	for _, sources := range [][]string{
		{"broker="},
		{"dashboard=", "mqtt.url=mqtt://host"},
		{"broker.listen=", "broker.data=", "dashboard.origins=https://a.example http://b", "base=a/b/c"},
		{"broker=", "mqtt.username=user: # name", "cameras.true.source=test:", "cameras.1e3.source=dir:a 'b' \"c\" # d: {e}", "cameras.null.source=dir:~"},
		{"broker=", "cameras.a.source=test:", "cameras.a.keep_warm=0", "cameras.a.max_stream=24h", "cameras.a.name=- [x]", "cameras.a.fps=0.001"},
	} {
		cfg := load(t, config.Options{Sources: sources})
		if got := again(t, cfg); !reflect.DeepEqual(got, cfg) {
			t.Errorf("%q: got\n%+v\nwant\n%+v", sources, got, cfg)
		}
	}
}
