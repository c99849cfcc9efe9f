package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// in makes a folder with files in it, and works in another one.
func in(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(t.TempDir())
	return dir
}

func loadPaths(t *testing.T, o Options) (cfg *Config, moved []string) {
	t.Helper()
	o.Moved = func(key, used, now string) { moved = append(moved, key+" "+used) }
	cfg, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, moved
}

// A relative path in a file means the same wherever the program is started.
func TestPathsAreRelativeToTheFile(t *testing.T) {
	dir := in(t, map[string]string{
		"hub.yaml": "broker: {}\nmqtt: {url: mqtt://h, username: u, password_file: secrets/mqtt}\nstate: kept\n" +
			"cameras: [{id: a, source: dir:pictures}, {id: b, source: push, push_token_file: token}]\npush: {listen: '127.0.0.1:0'}\n",
		"secrets/mqtt": "word\n", "token": "12345678\n", "pictures/.keep": "",
	})
	cfg, moved := loadPaths(t, Options{Sources: []string{filepath.Join(dir, "hub.yaml")}})
	for got, want := range map[string]string{
		cfg.Broker.Data: "data", cfg.MQTT.PasswordFile: "secrets/mqtt", cfg.State: "kept", cfg.Cameras[1].PushTokenFile: "token",
		strings.TrimPrefix(cfg.Cameras[0].Source, "dir:"): "pictures",
	} {
		if got != filepath.Join(dir, want) {
			t.Errorf("%s is %s, want it in %s", want, got, dir)
		}
	}
	if cfg.MQTT.Password != "word" || len(moved) != 0 {
		t.Errorf("password %q, moved %v", string(cfg.MQTT.Password), moved)
	}
}

// What is there already is not left behind.
func TestPathsAtTheirOldPlace(t *testing.T) {
	dir := in(t, map[string]string{"hub.yaml": "broker: {}\n"})
	file := filepath.Join(dir, "hub.yaml")
	if err := os.Mkdir("data", 0o700); err != nil {
		t.Fatal(err)
	}
	if cfg, moved := loadPaths(t, Options{Sources: []string{file}}); cfg.Broker.Data != "./data" || len(moved) != 1 || moved[0] != "broker.data ./data" {
		t.Errorf("data %s, moved %v: want the folder that there is, told once", cfg.Broker.Data, moved)
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if cfg, moved := loadPaths(t, Options{Sources: []string{file}}); cfg.Broker.Data != filepath.Join(dir, "data") || len(moved) != 0 {
		t.Errorf("data %s, moved %v: want that beside the file", cfg.Broker.Data, moved)
	}
}

// Arguments, variables and a file of the working directory are as they were, and an
// absolute path is one.
func TestPathsOfTheWorkingDirectory(t *testing.T) {
	dir := in(t, map[string]string{"hub.yaml": "broker: {data: /var/lib/camqtt}\n"})
	file := filepath.Join(dir, "hub.yaml")
	if err := os.WriteFile("here.yaml", []byte("broker: {data: mine}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Sources: []string{file}}, "/var/lib/camqtt"},
		{Options{Sources: []string{file, "broker.data=x"}}, "x"},
		{Options{Sources: []string{file}, Environ: []string{"CAMQTT_BROKER_DATA=y"}}, "y"},
		{Options{Sources: []string{"broker="}}, "./data"},
		{Options{Sources: []string{"here.yaml"}}, "mine"},
		{Options{Sources: []string{file, "broker.data="}}, ""},
	} {
		if cfg, _ := loadPaths(t, c.o); cfg.Broker.Data != c.want {
			t.Errorf("%v: data %q, want %q", c.o.Sources, cfg.Broker.Data, c.want)
		}
	}
}

// A credential of systemd is a copy in a read-only folder.
func TestPathsOfACredential(t *testing.T) {
	dir := in(t, map[string]string{"config.yaml": "broker: {}\n"})
	cfg, _ := loadPaths(t, Options{
		Sources: []string{filepath.Join(dir, "config.yaml")},
		Environ: []string{"CREDENTIALS_DIRECTORY=" + dir, "STATE_DIRECTORY=/var/lib/camqtt:/var/lib/other"},
	})
	if cfg.Broker.Data != "/var/lib/camqtt/data" {
		t.Errorf("data %s, want it in STATE_DIRECTORY", cfg.Broker.Data)
	}
}

// A folder in a configuration below /etc is where the service keeps it.
func TestPathsOfAService(t *testing.T) {
	p := paths{tree: &tree{report: newReport()}}
	for _, key := range []string{"broker.data", "mqtt.password_file"} {
		p.origins[key] = origin{file: "/etc/camqtt/none.yaml", line: 1}
	}
	if got := p.relative("broker.data", "./data", true); got != "/var/lib/camqtt/data" {
		t.Errorf("for a command the data is in %s", got)
	}
	p.o.Environ = []string{"STATE_DIRECTORY=/var/lib/yard"}
	if got := p.relative("broker.data", "./data", true); got != "/var/lib/yard/data" {
		t.Errorf("for the service the data is in %s", got)
	}
	if got := p.relative("mqtt.password_file", "password", false); got != "/etc/camqtt/password" {
		t.Errorf("a secret is %s", got)
	}
}

// Every key whose comment speaks of a file, a folder or a socket is a path.
func TestEveryPathIsResolved(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{} // by the last part of the name and the order of the table
	rows := strings.Split(string(text), "\n")
	at := 0
	for _, k := range Keys() {
		_, member := cutLast(k.Name)
		for at++; !strings.HasPrefix(strings.TrimLeft(rows[at], " -"), member+":"); at++ {
		}
		comments[k.Name] = rows[at-1]
	}
	for _, k := range Keys() {
		comment, isPath := comments[k.Name], false
		for _, word := range []string{"PEM file", "file with", "folder ", "Unix socket"} {
			isPath = isPath || strings.Contains(strings.ToLower(comment), strings.ToLower(word))
		}
		if k.Name == cameraPrefix+"source" || strings.Contains(comment, "_file is") {
			continue
		}
		if isPath != k.isPath() {
			t.Errorf("%s: a path: %v, resolved: %v (%s)", k.Name, isPath, !isPath, comment)
		}
	}
}

// A kind of source with a colon and nothing behind is no YAML; the way out is said.
func TestBareKindWithColon(t *testing.T) {
	for text, want := range map[string]string{
		"cameras:\n  - id: front\n    source: v4l2:\n":                       "f.yaml:3: v4l2: ends with a colon, which YAML takes for a key. Try: source: v4l2",
		"cameras:\n  - id: front\n    source: v4l2: # USB\n    fps: 5\n":     "f.yaml:3: v4l2: ends with a colon, which YAML takes for a key. Try: source: v4l2",
		"cameras:\n- source: rpicam:\n  id: front\n":                         "f.yaml:2: rpicam: ends with a colon, which YAML takes for a key. Try: source: rpicam",
		"cameras: [{id: front, source: test:}]\n":                            "f.yaml:1: cameras: there is no broker: want a broker section, or mqtt.url",
		"mqtt: {url: mqtt://h}\ncameras:\n  - id: front\n    source: v4l2\n": "",
		"mqtt: {url: mqtt://h}\ncameras: [{id: front, source: 'v4l2:'}]\n":   "",
	} {
		_, err := Load(Options{Sources: []string{"f.yaml"}, ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
		if got := errorText(err); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
