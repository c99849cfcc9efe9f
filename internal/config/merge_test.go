package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/config"
	"camqtt/internal/wire"
)

// files is what can be read in a test.
type files map[string]string

func (f files) read(name string) ([]byte, error) {
	text, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

func load(t *testing.T, o config.Options) *config.Config {
	t.Helper()
	cfg, err := config.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// limits are the defaults of broker.limits.
var limits = config.BrokerLimits{
	Connections: 2000, ConnectionsPerPort: 2000, ConnectionsPerAddress: 128, ConnectionsPerAccount: 64,
	ConnectTime: 10 * time.Second, ConnectBytes: 65536, PacketBytes: 2 << 20, ControlBytes: 256 << 10, PacketsPerSecond: 5000,
	TopicBytes: 512, TopicLevels: 16, Subscriptions: 4096, Keepalive: time.Hour,
	Sessions: 1000, SessionExpiry: time.Hour, QueueMessages: 1000, QueueBytes: 8 << 20,
	RetainedMessages: 20000, RetainedBytes: 128 << 20, RetainedMessageBytes: 256 << 10,
	StoreEvery: 2 * time.Second, StoreSlow: time.Minute, SystemEvery: 10 * time.Second,
}

// push is what the configuration says of boards that send when it says nothing.
var push = config.Push{MaxBytes: 1 << 20, Connections: 64, ConnectionsPerAddress: 64}

// brokerTLS is that of a file that does not mention it.
var brokerTLS = config.BrokerTLS{Names: []string{}, ACME: config.ACME{Domains: []string{}}, ClientAuth: "require"}

func TestDefaults(t *testing.T) {
	got := load(t, config.Options{
		ReadFile: files{"a.yaml": "broker:\ndashboard: {}\ncameras:\n  - id: front\n    source: 'test:'\n"}.read,
		Sources:  []string{"a.yaml"},
	})
	want := &config.Config{
		Broker:        &config.Broker{Listen: "127.0.0.1:1883", Data: "./data", Anonymous: "loopback", TLS: brokerTLS, Limits: limits},
		Dashboard:     &config.Dashboard{Listen: "127.0.0.1:8080", Origins: []string{}, Hosts: []string{}, TrustedProxies: []string{"loopback"}, Embed: []string{}, Anonymous: "loopback", TLS: config.DashboardTLS{ClientAuth: "require"}},
		MQTT:          config.MQTT{URL: []string{}, Pin: []string{}, CommandQoS: 1, Retain: true},
		Base:          "cam",
		HomeAssistant: config.HomeAssistant{Discovery: "device", Prefix: "homeassistant"},
		Push:          push,
		Cameras: []config.Camera{{
			ID: "front", Name: "front", Source: "test:", FPS: 10, Rotate: "0", Check: "auto", Settle: -1,
			StatsEvery: 30 * time.Second, MaxImageBytes: 900_000, Labels: map[string]string{},
			Settings: map[string]any{
				"keep_warm": 10 * time.Second, "max_stream": 10 * time.Minute, "preview_every": time.Second,
				"snap_every": time.Duration(0), "retain_pictures": true,
			},
		}},
		State: "auto",
		Log:   config.Log{Level: "info", Format: "text"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nbroker %+v\nwant %+v\nbroker %+v", got, got.Broker, want, want.Broker)
	}
}

func TestEveryValue(t *testing.T) {
	got := load(t, config.Options{
		ReadFile: files{
			"secret": "hunter2\r\n",
			"a.yaml": `
broker:
  listen: ""
  anonymous: never
  data: ""
  unix: /run/camqtt.sock
  limits: {connections: 20, packet_bytes: 4_000_000, keepalive: 90s, store_slow: 5m}
mqtt:
  url: [mqtts://a.example, "wss://user:pass@b.example/ws"]
  username: 007
  password_file: secret
  command_qos: 0
base: site/a/cam
homeassistant: {discovery: off, prefix: ha}
cameras:
  - id: 1
    name: "Größe – 1"
    source: http://user:p@ss@esp32/
    size: 1280x720
    fps: 0.2
    quality: 75
    rotate: hflip
    check: full
    settle: 0
    snap_every: 1h30m
    keep_warm: 0
    max_stream: 0s
    preview_every: 2s
    stats_every: 1m
    max_image_bytes: 2_500_000
    retain_pictures: no
    labels: {site: home, room: 1}
state: ""
log: {level: debug, format: json}
`,
		}.read,
		Sources: []string{"a.yaml"},
	})
	lower := limits
	lower.Connections, lower.PacketBytes, lower.Keepalive, lower.StoreSlow = 20, 4_000_000, 90*time.Second, 5*time.Minute
	want := &config.Config{
		Broker: &config.Broker{Unix: "/run/camqtt.sock", Anonymous: "never", TLS: brokerTLS, Limits: lower},
		MQTT: config.MQTT{
			URL:      []string{"mqtts://a.example", "wss://user:pass@b.example/ws"},
			Username: "007", Password: "hunter2", PasswordFile: "secret",
			Pin: []string{}, Retain: true,
		},
		Base:          "site/a/cam",
		HomeAssistant: config.HomeAssistant{Discovery: "off", Prefix: "ha"},
		Push:          push,
		Cameras: []config.Camera{{
			ID: "1", Name: "Größe – 1", Source: "http://user:p@ss@esp32/",
			Size: wire.Size{Width: 1280, Height: 720}, FPS: 0.2, Quality: 75, Rotate: "hflip", Check: "full", Settle: 0,
			StatsEvery: time.Minute,
			Settings: map[string]any{
				"keep_warm": time.Duration(0), "max_stream": time.Duration(0), "preview_every": 2 * time.Second,
				"snap_every": 90 * time.Minute, "retain_pictures": false,
			},
			MaxImageBytes: 2_500_000, Labels: map[string]string{"site": "home", "room": "1"},
		}},
		Log: config.Log{Level: "debug", Format: "json"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// TestPrecedence names each value after where it comes from.
func TestPrecedence(t *testing.T) {
	cfg := load(t, config.Options{
		ReadFile: files{
			"1.yaml": "broker:\n  data: file1\n  tls: {listen: ''}\nbase: file1\nmqtt: {username: file1, url: [mqtt://file1, mqtt://more]}\nhomeassistant: {prefix: file1}\nlog: {level: error}",
			"2.yaml": "broker:\n  anonymous: never\nbase: file2\nmqtt: {username: file2, url: mqtt://file2}\nhomeassistant: {prefix: file2}",
		}.read,
		// An argument wins wherever it stands.
		Sources: []string{"base=argument1", "1.yaml", "base=argument2", "2.yaml"},
		Environ: []string{"CAMQTT_BASE=env", "CAMQTT_MQTT_USERNAME=env", "CAMQTT_LOG_LEVEL=", "HOME=/root"},
	})
	for _, c := range []struct{ key, got, want string }{
		{"broker.data, in the first file only", cfg.Broker.Data, "file1"},
		{"broker.anonymous, in the second only", cfg.Broker.Anonymous, "never"},
		{"homeassistant.prefix", cfg.HomeAssistant.Prefix, "file2"},
		{"mqtt.url, a list that is replaced", strings.Join(cfg.MQTT.URL, " "), "mqtt://file2"},
		{"mqtt.username", cfg.MQTT.Username, "env"},
		{"base", string(cfg.Base), "argument2"},
		{"log.level, with an empty variable", cfg.Log.Level, "error"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.key, c.got, c.want)
		}
	}
	if cfg.Dashboard != nil {
		t.Errorf("a dashboard that is not configured: %+v", cfg.Dashboard)
	}
}

func TestCamerasMergeByID(t *testing.T) {
	cfg := load(t, config.Options{
		ReadFile: files{
			"1.yaml": "broker:\ncameras:\n  - {id: a-b, source: 'test:', fps: 1, quality: 1, name: A}\n  - {id: front_door, source: 'test:', fps: 1}\n",
			"2.yaml": "cameras:\n  - {id: new, source: 'test:2x2'}\n  - {id: a-b, fps: 2, name: ''}\n",
		}.read,
		Sources: []string{
			"1.yaml", "2.yaml",
			"cameras.arg.fps=6", "cameras.arg.source=test:6x6",
			"cameras.1.rotate=90", "cameras.1.labels={room: hall}",
		},
		Environ: []string{
			"CAMQTT_CAMERAS_A_B_FPS=3", "CAMQTT_CAMERAS_FRONT_DOOR_MAX_STREAM=1h", "CAMQTT_CAMERAS_2_FPS=7",
			"CAMQTT_CAMERAS_A_B_LABELS={site: home}", "CAMQTT_CAMERAS_SIDE_FPS=5", "CAMQTT_CAMERAS_SIDE_SOURCE=test:5x5",
		},
	})
	var got []string
	for _, c := range cfg.Cameras {
		got = append(got, string(c.ID)+" "+c.Name+" "+c.Source+" "+c.Rotate)
	}
	want := []string{"a-b a-b test: 0", "front_door front_door test: 90", "new new test:2x2 0", "arg arg test:6x6 0", "side side test:5x5 0"}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("cameras %q, want %q", got, want)
	}
	for i, fps := range []float64{3, 1, 7, 6, 5} {
		if cfg.Cameras[i].FPS != fps {
			t.Errorf("camera %s: fps %v, want %v", cfg.Cameras[i].ID, cfg.Cameras[i].FPS, fps)
		}
	}
	if c := cfg.Cameras[0]; c.Quality != 1 {
		t.Errorf("quality %d, want 1 of the first file", c.Quality)
	}
	if site, room := cfg.Cameras[0].Labels["site"], cfg.Cameras[1].Labels["room"]; site != "home" || room != "hall" {
		t.Errorf("site %q of a-b, room %q of front_door", site, room)
	}
	if most := cfg.Cameras[1].Settings["max_stream"]; most != time.Hour {
		t.Errorf("max_stream %s, want 1h", most)
	}
}

// TestCameraNamedLikeAPlace has a camera whose id is the place of another.
func TestCameraNamedLikeAPlace(t *testing.T) {
	cfg := load(t, config.Options{
		Sources: []string{"broker=", "cameras.1.source=test:", "cameras.x.source=test:", "cameras.1.quality=5", "cameras.0.rotate=90"},
		Environ: []string{"CAMQTT_CAMERAS_1_FPS=5"},
	})
	if c := cfg.Cameras[0]; c.ID != "1" || c.FPS != 5 || c.Quality != 5 || c.Rotate != "90" {
		t.Errorf("camera 1: %+v, want fps 5, quality 5, rotate 90", c)
	}
	if c := cfg.Cameras[1]; c.FPS != 10 || c.Quality != 0 || c.Rotate != "0" {
		t.Errorf("camera x: %+v, want it left alone", c)
	}
}

func TestPasswordOfUserInURL(t *testing.T) {
	cfg := load(t, config.Options{Sources: []string{"dashboard=", "mqtt.url=mqtt://user@host", "mqtt.password=hunter2"}})
	if string(cfg.MQTT.Password) != "hunter2" {
		t.Error("the password is lost")
	}
}

// TestFileSystem reads real files, which everything else does not.
func TestFileSystem(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fine := write("fine.yaml", "broker:\nmqtt: {username: u, password_file: "+write("secret", "hunter2")+"}\n")
	if cfg := load(t, config.Options{Sources: []string{fine}}); string(cfg.MQTT.Password) != "hunter2" {
		t.Error("the password is not that of the file")
	}
	for path, want := range map[string]string{
		write("large.yaml", "#"+strings.Repeat(" ", 1<<20)): "cannot be read: larger than 1048576 bytes",
		filepath.Join(dir, "missing.yaml"):                  "cannot be read: no such file or directory",
		dir:                                                 "cannot be read: is a directory",
	} {
		_, err := config.Load(config.Options{Sources: []string{path}})
		if want := path + ": " + want; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	_, err := config.Load(config.Options{Sources: []string{"broker.data=\xff"}})
	if want := "-c: broker.data: is not UTF-8: want plain text"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWithoutFiles(t *testing.T) {
	cfg := load(t, config.Options{
		Sources: []string{`cameras=[{id: a, source: "exec:x # y"}]`, "mqtt.url=[mqtt://a, 'mqtt://b']", "dashboard=", "broker.tls={listen: ''}"},
		Environ: []string{"CAMQTT_MQTT_URL=mqtt://c  mqtt://d", "CAMQTT_DASHBOARD_ORIGINS=https://A.example http://b:8123"},
	})
	if got := cfg.MQTT.URL; !reflect.DeepEqual(got, []string{"mqtt://a", "mqtt://b"}) {
		t.Errorf("mqtt.url %q", got)
	}
	if len(cfg.Cameras) != 1 || cfg.Cameras[0].Source != "exec:x # y" {
		t.Errorf("cameras %+v", cfg.Cameras)
	}
	if cfg.Broker == nil || cfg.Dashboard == nil {
		t.Fatalf("broker %+v, dashboard %+v, want both", cfg.Broker, cfg.Dashboard)
	}
	if got := cfg.Dashboard.Origins; !reflect.DeepEqual(got, []string{"https://a.example", "http://b:8123"}) {
		t.Errorf("dashboard.origins %q", got)
	}
	cfg = load(t, config.Options{Sources: []string{"broker="}, Environ: []string{"CAMQTT_MQTT_URL=mqtt://c  mqtt://d"}})
	if got := cfg.MQTT.URL; !reflect.DeepEqual(got, []string{"mqtt://c", "mqtt://d"}) {
		t.Errorf("mqtt.url from the environment %q", got)
	}
}

// TestForeignVariables are those that others put into the environment.
func TestForeignVariables(t *testing.T) {
	load(t, config.Options{Sources: []string{"broker="}, Environ: []string{
		"CAMQTT_BROKER=mqtt://user:hunter2@host",
		"CAMQTT_SERVICE_HOST=10.0.0.1", "CAMQTT_SERVICE_PORT_MQTT=1883", "CAMQTT_PORT=tcp://10.0.0.1:1883", "CAMQTT_PORT_1883_TCP_ADDR=10.0.0.1",
		"CAMQTT_BROKER_SERVICE_HOST=10.0.0.1", "CAMQTT_BROKER_PORT=tcp://10.0.0.1:1883", "CAMQTT_BROKER_PORT_1883_TCP=x",
	}})
}

func TestOpenAddresses(t *testing.T) {
	for _, source := range []string{
		"broker: {listen: '0.0.0.0:1883'}\ndashboard: {listen: ':8080'}",
		"broker: {listen: '[::]:1883', anonymous: never}\ndashboard: {listen: 'cams.example:8080'}",
		"broker: {listen: '[::1]:1883'}\ndashboard: {listen: 'localhost:0'}",
		"broker: {listen: '127.5.5.5:1883'}\ndashboard: {listen: '[::ffff:127.0.0.1]:8080'}",
		"dashboard: {listen: ':8080', data: ./data}\nmqtt: {url: mqtt://host}",
		"broker: {tls: {acme: {domains: [], email: ''}}}",
	} {
		load(t, config.Options{ReadFile: files{"a.yaml": source}.read, Sources: []string{"a.yaml"}})
	}
}

func TestClientOnly(t *testing.T) {
	o := config.Options{
		ReadFile:   files{"a.yaml": "broker:\n  tls: {listen: '127.0.0.1:8883', cert: missing, key: missing}\n"}.read,
		Sources:    []string{"a.yaml"},
		ClientOnly: true,
	}
	load(t, o)
	o.ClientOnly = false
	if _, err := config.Load(o); err == nil {
		t.Error("a missing certificate is no problem for the broker")
	}
	cfg := load(t, config.Options{Environ: []string{"CAMQTT_MQTT_URL=mqtt://host"}, ClientOnly: true})
	if len(cfg.MQTT.URL) != 1 {
		t.Errorf("mqtt.url %q", cfg.MQTT.URL)
	}
}

func TestCheckSource(t *testing.T) {
	var asked [][2]string
	_, err := config.Load(config.Options{
		ReadFile: files{"a.yaml": "broker:\ncameras:\n  - {id: a, source: 'exec:\"', rotate: 90}\n  - {id: b, source: 'test:'}\n  - {id: c, source: 'nope:'}\n"}.read,
		Sources:  []string{"a.yaml"},
		CheckSource: func(cam config.Camera, _ wire.Base) error {
			source, rotate := cam.Source, cam.Rotate
			asked = append(asked, [2]string{source, rotate})
			if source == "test:" {
				return nil
			}
			return errors.New("a quote without its partner")
		},
	})
	if want := [][2]string{{`exec:"`, "90"}, {"test:", "0"}}; !reflect.DeepEqual(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatalf("error %v, want two problems", err)
	}
	if want := (config.Problem{File: "a.yaml", Line: 3, Key: "cameras.a.source", Text: "a quote without its partner"}); problems[0] != want {
		t.Errorf("problem %+v, want %+v", problems[0], want)
	}
	var one config.Problem
	if !errors.As(err, &one) || one != problems[0] {
		t.Errorf("errors.As finds %+v, want the first problem", one)
	}
}

// Brokers are given as a list, or as words, and as people write them.
func TestBrokerAddresses(t *testing.T) {
	want := []string{"mqtt://a:1883", "mqtt://b:1884", "wss://c"}
	for _, s := range []config.Options{
		{Sources: []string{"dashboard=", "mqtt.url=a b:1884,wss://c"}},
		{Sources: []string{"dashboard=", "mqtt.url=[a, 'b:1884', 'wss://c']"}},
		{Sources: []string{"a.yaml"}, ReadFile: files{"a.yaml": "dashboard:\nmqtt:\n  url: a, b:1884 wss://c\n"}.read},
		{Sources: []string{"a.yaml"}, ReadFile: files{"a.yaml": "dashboard:\nmqtt:\n  url:\n  - a\n  - b:1884\n  - wss://c\n"}.read},
	} {
		if got := load(t, s).MQTT.URL; !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", s.Sources, got, want)
		}
	}
}
