package e2e

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
)

// TestUnits holds the systemd units to what systemd itself says of them: nothing
// unknown in them, and an exposure of at most 2.0 of 10.
func TestUnits(t *testing.T) {
	t.Parallel()
	analyze := testkit.Tool(t, "systemd-analyze")
	units, err := filepath.Glob("configs/systemd/camqtt-*.service")
	if err != nil || len(units) != 3 {
		t.Fatalf("units %q, %v: want those of hub, node and bridge", units, err)
	}
	for _, unit := range units {
		text := string(read(t, unit))
		// Where the program is installed there is none here.
		path := filepath.Join(t.TempDir(), filepath.Base(unit))
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "/usr/local/bin/camqtt", binary)), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, stderr, status := testkit.Run(t, analyze, "verify", "--man=no", path); status != 0 || len(out) > 0 || stderr != "" {
			t.Errorf("%s: exit %d\n%s%s", unit, status, out, stderr)
		}
		out, stderr, status := testkit.Run(t, analyze, "security", "--offline=true", "--no-pager", "--threshold=20", path)
		if status != 0 {
			t.Errorf("%s: exit %d, want an exposure of at most 2.0\n%s%s", unit, status, out, stderr)
			continue
		}
		for _, want := range []string{"Type=notify", "WatchdogSec=", "SupplementaryGroups=camqtt", "KillMode=control-group", "DynamicUser=yes", "StateDirectory=camqtt", "RestartPreventExitStatus=2"} {
			if !strings.Contains(text, "\n"+want) {
				t.Errorf("%s has no %s", unit, want)
			}
		}
		example := "configs/" + strings.TrimSuffix(strings.TrimPrefix(filepath.Base(unit), "camqtt-"), ".service") + ".yaml"
		if !strings.Contains(text, "/etc/camqtt/"+filepath.Base(example)) {
			t.Errorf("%s does not run %s", unit, example)
		}
		must(t, "check", "-c", example)
	}
}

// TestUnderSystemd runs a hub with a camera as systemd would, secrets included: it
// says that it is ready and goes on saying that it is alive.
func TestUnderSystemd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	ca := testkit.NewAuthority(t)
	crt, key := ca.Issue("localhost", nil)
	for name, from := range map[string]string{"tls.crt": crt, "tls-key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), read(t, from), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	conf := "broker: {listen: '', data: '', tls: {listen: '127.0.0.1:0', cert: 'credential:tls.crt', key: 'credential:tls-key'}}\n" +
		"cameras: [{id: porch, source: 'test:'}]\n"
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(conf), 0o400); err != nil {
		t.Fatal(err)
	}
	p := testkit.Start(t, "env", "NOTIFY_SOCKET="+filepath.Join(dir, "notify"), "WATCHDOG_USEC=9000000", "WATCHDOG_PID=",
		"CREDENTIALS_DIRECTORY="+dir, binary, "run", "-c", filepath.Join(dir, "config.yaml"))
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} { // 3 s each: an answer may take as long
		b := make([]byte, 100)
		_ = sock.SetReadDeadline(time.Now().Add(testkit.Patience))
		n, err := sock.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Fatalf("said %q, %v: want %q\n%s", b[:n], err, want, p.Err())
		}
	}
	interrupt(t, p)
	if strings.Contains(p.Err(), "not alive") {
		t.Error(p.Err())
	}
}

// TestReproducible builds the program in two folders: the binaries are the same, so
// anybody can tell whether one that he was given is made of this source.
func TestReproducible(t *testing.T) {
	t.Parallel()
	build := func(src string) []byte {
		out := filepath.Join(t.TempDir(), "camqtt")
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, ".")
		cmd.Dir, cmd.Env = src, append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return read(t, out)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "somewhere", "else")
	for _, path := range madeOf(t) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(other, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(other, path), read(t, path), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a, b := build(here), build(other)
	if !bytes.Equal(a, b) {
		t.Errorf("two builds of the same source differ (%d and %d bytes)", len(a), len(b))
	}
	if bytes.Contains(a, []byte(here)) {
		t.Errorf("the binary has %s in it", here)
	}
}

// madeOf are the files that the program is made of, and nothing else that may lie in
// this folder: tests and editors make and remove files in it while others look.
func madeOf(t *testing.T) []string {
	t.Helper()
	const each = `{{if and .Module .Module.Main}}{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{end}}`
	cmd := exec.Command("go", "list", "-deps", "-f", each, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"go.mod", "go.sum"}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		path, err := filepath.Rel(here, line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, path)
	}
	return all
}
