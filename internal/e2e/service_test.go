package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"camqtt/internal/testkit"
)

// TestJournal runs the program with the stream of the journal as standard error: every
// line has its priority and no time, errors that end the program included.
func TestJournal(t *testing.T) {
	t.Parallel()
	stream, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	info, err := stream.Stat()
	if err != nil {
		t.Fatal(err)
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("Sys is a %T", info.Sys())
	}
	journal := fmt.Sprintf("JOURNAL_STREAM=%d:%d", s.Dev, s.Ino)
	run := func(args string) string {
		before := len(read(t, stream.Name()))
		testkit.Run(t, "sh", "-c", "exec env "+journal+" "+binary+" "+args+" 2>>"+stream.Name())
		return string(read(t, stream.Name())[before:])
	}
	if got := run("run -c broker.listen=nonsense -c mqtt.pin=x"); !regexp.MustCompile(`\A(<3>-c: \S+: .*\n){2}\z`).MatchString(got) {
		t.Errorf("wrong configuration is reported as\n%s", got)
	}
	if got := run("snap front --broker mqtt://127.0.0.1:1"); !strings.HasPrefix(got, "<3>camqtt: ") {
		t.Errorf("a failure is reported as\n%s", got)
	}
	p := testkit.Start(t, "sh", "-c", "exec env "+journal+" "+binary+" run -c broker.listen=127.0.0.1:0 -c broker.data= -c cameras.a.source=test: 2>>"+stream.Name())
	before := len(read(t, stream.Name()))
	lines := func() []string {
		return strings.Split(strings.TrimSpace(string(read(t, stream.Name())[before:])), "\n")
	}
	testkit.Until(t, "the hub logs", func() bool { return len(lines()) > 2 })
	interrupt(t, p)
	for _, line := range lines() {
		if !regexp.MustCompile(`^<[3467]>level=`).MatchString(line) {
			t.Errorf("line %q: want a priority and then the level", line)
		}
	}
}

// TestPathsOfAFile starts a hub from another folder than that of its configuration: its
// data, its secrets and the commands about them are found beside the file.
func TestPathsOfAFile(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "hub.yaml")
	port := testkit.FreePort(t)
	text := fmt.Sprintf("broker:\n  listen: ''\n  tls: {listen: '127.0.0.1:%d'}\n", port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(args string) (out, stderr string, status int) {
		b, stderr, status := testkit.Run(t, "sh", "-c", "cd "+elsewhere+" && exec "+binary+" "+args)
		return string(b), stderr, status
	}
	if _, stderr, status := at("user add ann --role viewer -c " + file); status != 0 || !strings.Contains(stderr, filepath.Join(dir, "data")) {
		t.Fatalf("exit %d: %s", status, stderr)
	}
	p := testkit.Start(t, "sh", "-c", "cd "+elsewhere+" && exec "+binary+" run -c "+file)
	testkit.Until(t, "the hub's key", func() bool {
		out, _, status := at("key -c " + file)
		return status == 0 && strings.HasPrefix(out, "sha256:")
	})
	if out, _, _ := at("user ls -c " + file); !strings.Contains(out, "ann") {
		t.Errorf("accounts %q, want ann", out)
	}
	interrupt(t, p)
	if strings.Contains(p.Err(), "relative path") {
		t.Error(p.Err())
	}
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) != 0 {
		t.Errorf("in the working directory there is %v, %v", left, err)
	}

	// A folder from before stays in use, and the log says so once.
	old := filepath.Join(elsewhere, "data")
	if err := os.Rename(filepath.Join(dir, "data"), old); err != nil {
		t.Fatal(err)
	}
	p = testkit.Start(t, "sh", "-c", "cd "+elsewhere+" && exec "+binary+" run -c "+file)
	testkit.Until(t, "the hub runs", func() bool { return strings.Contains(p.Err(), "broker listens") })
	interrupt(t, p)
	if n := strings.Count(p.Err(), "relative path is used as one of the working directory"); n != 1 || !strings.Contains(p.Err(), old) {
		t.Errorf("said %d times:\n%s", n, p.Err())
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("a second data folder was made")
	}
}
