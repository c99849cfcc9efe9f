package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"camqtt/internal/config"
)

func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, seed := range []string{
		"", "\xef\xbb\xbfbroker:", "broker: &a {tls: *a}", "cameras: [&a {id: x, source: 'test:', <<: *a}]", "? [a]\n: b", "a: !!binary ==",
		"broker:\n---\n...\n", "cameras:\n- id: a\n  source: 'test:'\n  name: \"\\u202e\"\n", "mqtt: {url: ['mqtt://a:b@c/?d=e#f']}\nbroker:",
		"- *a", "{", "%YAML 1.1\n---\nbroker: ~", "mqtt:\n  password: |\n    a\n    b\nbroker:", "a: &x [*x]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		read := files{"a.yaml": string(b)}.read
		cfg, err := config.Load(config.Options{ReadFile: read, Sources: []string{"a.yaml"}})
		if err != nil {
			var problems config.Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("error %T %v, want problems", err, err)
			}
			for _, p := range problems {
				if p.File != "a.yaml" || p.Line < 1 || p.Line > strings.Count(string(b), "\n")+strings.Count(string(b), "\r")+2 || p.Text == "" {
					t.Errorf("problem %+v: want a line of the file and a text", p)
				}
				if strings.ContainsFunc(p.Error(), unicode.IsControl) {
					t.Errorf("problem %q has control characters", p.Error())
				}
			}
			return
		}
		secret := cfg.MQTT.Password != ""
		for _, u := range cfg.MQTT.URL {
			secret = secret || strings.ContainsAny(u, "@=")
		}
		for i := range cfg.Cameras {
			if !cfg.Cameras[i].Pushed() {
				cfg.Cameras[i].Source = "test:" // masking makes it another
			}
			secret = secret || cfg.Cameras[i].PushToken != ""
		}
		if secret {
			if _, err := cfg.YAML(); err != nil {
				t.Fatal(err)
			}
			return
		}
		if got := again(t, cfg); !reflect.DeepEqual(got, cfg) {
			t.Errorf("what was written loads as\n%+v\nwant\n%+v", got, cfg)
		}
	})
}

func FuzzSources(f *testing.F) {
	f.Add("broker.listen=127.0.0.1:1", "CAMQTT_CAMERAS_A_SOURCE=test:")
	f.Add("cameras.0.fps=5", "CAMQTT_CAMERAS=[{id: a, source: 'test:'}]")
	f.Add("cameras={", "CAMQTT_MQTT_URL=[mqtt://a")
	f.Add("broker.tls={listen: ''}", "CAMQTT_CAMERAS_A_B_FPS=1")
	f.Fuzz(func(t *testing.T, argument, variable string) {
		_, err := config.Load(config.Options{ReadFile: files{}.read, Sources: []string{argument}, Environ: []string{variable}})
		var problems config.Problems
		if err != nil && !errors.As(err, &problems) {
			t.Fatalf("error %T %v, want problems", err, err)
		}
	})
}
