package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"camqtt/internal/config"
)

func TestSecretShowsNothing(t *testing.T) {
	secret := config.Secret("hunter2")
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("connect", "password", secret)
	asJSON, err := json.Marshal(map[string]any{"p": secret, "m": config.MQTT{Password: secret}})
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(map[string]any{"p": secret})
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{
		"%v":   fmt.Sprintf("%v", secret),
		"%+v":  fmt.Sprintf("%+v", config.MQTT{Password: secret}),
		"%#v":  fmt.Sprintf("%#v", config.MQTT{Password: secret}),
		"%q":   fmt.Sprintf("%q", secret),
		"%x":   fmt.Sprintf("%x", secret),
		"%d":   fmt.Sprintf("%d", secret),
		"slog": logged.String(), "JSON": string(asJSON), "YAML": string(asYAML),
	} {
		if strings.Contains(got, "hunter2") || strings.Contains(got, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("%s shows the secret: %s", name, got)
		}
		if !strings.Contains(got, "***") {
			t.Errorf("%s: %s, want *** in it", name, got)
		}
	}
	if secret.String() != "***" {
		t.Errorf("String is %s", secret.String())
	}
	if string(secret) != "hunter2" {
		t.Error("the secret itself is lost")
	}
}

// TestNothingShowsSecrets goes through every place where people put passwords.
func TestNothingShowsSecrets(t *testing.T) {
	for _, source := range []string{
		"http://user:hunter2@esp32/stream",
		"http://user:hun@hunter2@esp32/stream",
		"http://user:p@hunter2@esp32/stream",
		"http://esp32/snap.jpg?user=a&password=hunter2",
		"http://esp32/snap.jpg?apikey=hunter2&x=y",
		"http://esp32/snap.jpg?access_token=hunter2",
		"http://esp32/snap.jpg?loginpas=hunter2&x=y",
		"http://esp32/hunter2/snap.jpg",
		"http://esp32/?hunter2",
		"exec:ffmpeg -i rtsp://user:hunter2@cam/1 -f mpjpeg -",
		"ffmpeg:rtsp://user:hunter2@cam/1#keyframes=on",
		"exec:curl -u user:hunter2 http://cam/",
		"exec:curl -uuser:hunter2 http://cam/",
		"exec:curl --user=user:hunter2 http://cam/",
		"exec:grab --password hunter2",
		"exec:grab --password=hunter2",
		"exec:grab --password 'hunter2 hunter2'",
		"exec:grab -p hunter2",
		"exec:grab esp32 hunter2",
		"exec:curl -H 'Authorization: Bearer hunter2' http://cam/",
		"exec:curl -H 'X-Api-Key: hunter2' http://cam/",
		"exec:curl -H 'Cookie: session=hunter2' http://cam/",
	} {
		cfg := load(t, config.Options{
			ReadFile: files{"secret": "hunter2"}.read,
			Sources: []string{
				"mqtt.url=mqtt://user:hunter2@a mqtts://user:hu@hunter2@b wss://c/?token=hunter2",
				"mqtt.username=u", "mqtt.password_file=secret", "cameras.front.source=" + source,
			},
		})
		got, err := cfg.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(got), "hunter2") {
			t.Errorf("the password of %s is shown:\n%s", source, got)
		}
		if !strings.Contains(string(got), "esp32") && !strings.Contains(string(got), "exec:") && !strings.Contains(string(got), "rtsp://cam/") {
			t.Errorf("more than the password of %s is hidden:\n%s", source, got)
		}
		if !strings.Contains(string(got), "password: \"\"\n  password_file: secret\n") {
			t.Errorf("want the file of the password, and no password:\n%s", got)
		}
		if cfg.Cameras[0].Source != source || cfg.MQTT.URL[0] != "mqtt://user:hunter2@a" {
			t.Errorf("writing %s down has changed it: %+v", source, cfg)
		}
	}
	cfg := load(t, config.Options{Sources: []string{"broker=", "mqtt.username=u", "mqtt.password=hunter2"}})
	got, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(got), "hunter2") || !strings.Contains(string(got), "password: '***'") {
		t.Errorf("the password is shown, or not as '***':\n%s", got)
	}
}

// TestProblemsShowNoSecrets puts a password where it is refused.
func TestProblemsShowNoSecrets(t *testing.T) {
	for _, text := range []string{
		"mqtt: {password: !hunter2}",
		"mqtt: {password: *hunter2}",
		"mqtt: {password: [hunter2]}",
		"mqtt: {password: {a: hunter2}}",
		"mqtt: {password: hunter2, pasword: hunter2}",
		"mqtt:\n  password: hunter2\n  password: hunter2",
		"mqtt: {url: 'user:hunter2@host'}",
		"mqtt: {url: 'mqtt://user:hunter2@'}",
		"mqtt: {url: 'mqtt://user:hunter2@host:x'}",
		"mqtt: {url: 'mqtt://user:%hunter2@host'}",
		"mqtt: {url: 'host?password=hunter2'}",
		"dashboard: {origins: ['https://user:hunter2@host']}",
		"cameras: [{id: a, source: 'rtsp://user:hunter2@host'}]",
		"cameras: [{id: a, source: 'user:hunter2@host'}]",
		"cameras: [{id: a, source: 'hunter2'}]",
		"cameras: [{id: a, source: ['http://user:hunter2@host']}]",
	} {
		_, err := config.Load(config.Options{ReadFile: files{"a.yaml": text}.read, Sources: []string{"a.yaml"}})
		if err == nil {
			t.Errorf("%s loads", text)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the problems of %s show the password:\n%v", text, err)
		}
	}
}
