package config

import (
	"os"
	"path/filepath"
	"testing"
)

// A problem of a credential names the file that systemd copies.
func TestProblemsOfCredentials(t *testing.T) {
	root := t.TempDir()
	unit := filepath.Join(root, "etc/systemd/system/yard.service")
	for path, text := range map[string]string{
		unit: "[Service]\nLoadCredential=config.yaml:/etc/yard.yaml\nLoadCredential=word:/etc/word\n",
		filepath.Join(unit+".d", "override.conf"): "[Service]\nLoadCredential=word:/root/word\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const folder = "/run/credentials/yard.service"
	r := newReport()
	r.add(origin{folder + "/config.yaml", 3, "mqtt.password_file"}, folder+"/word is empty: want the password as its only line")
	r.add(origin{folder + "/config.yaml", 4, "mqtt.key"}, folder+"/other cannot be read: no such file or directory")
	got := r.sorted(credentials{folder, root}).Error()
	want := "/etc/yard.yaml:3: mqtt.password_file: /root/word is empty: want the password as its only line\n" +
		"/etc/yard.yaml:4: mqtt.key: credential other of yard.service cannot be read: no such file or directory"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A configuration and a password that are credentials are read, and named as credentials
// where no unit says what they are copies of.
func TestCredentialThatIsWrong(t *testing.T) {
	dir := in(t, map[string]string{
		"config.yaml": "broker: {}\nmqtt: {username: u, password_file: credential:word}\n", "word": "one\ntwo\n",
	})
	_, err := Load(Options{
		Sources: []string{filepath.Join(dir, "config.yaml")}, Environ: []string{"CREDENTIALS_DIRECTORY=" + dir},
	})
	unit := filepath.Base(dir)
	want := "credential config.yaml of " + unit + ":2: mqtt.password_file: credential word of " + unit +
		" has more than one line: want the password as its only line"
	if errorText(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
