package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camqtt/internal/access"
	"camqtt/internal/datadir"
)

// A data folder of a newer version is refused by the hub and by the commands about
// accounts, and stays as it is.
func TestNewerDataFolder(t *testing.T) {
	data := t.TempDir()
	mark := filepath.Join(data, datadir.FileName)
	if err := os.WriteFile(mark, []byte("camqtt data folder, format 99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"run", "-c", "broker.listen=127.0.0.1:0", "-c", "broker.data=" + data},
		{"user", "ls", "--data", data},
		{"user", "add", "ann", "--role", "viewer", "--data", data},
		{"user", "check", "--accept", "--data", data},
	} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), Process{Args: append([]string{"camqtt"}, args...), Stdout: &out, Stderr: &errs})
		if code != 2 || !strings.Contains(errs.String(), "written by a newer camqtt") {
			t.Errorf("%q: exit %d: %s", args, code, errs.String())
		}
	}
	if files, err := os.ReadDir(data); err != nil || len(files) != 1 {
		t.Errorf("files were made: %v, %v", files, err)
	}
}

// An edited file of accounts is shown, and in force when it is accepted.
func TestUserCheck(t *testing.T) {
	data := t.TempDir()
	run := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := Main(t.Context(), Process{Args: append([]string{"camqtt", "user"}, append(args, "--data", data)...), Stdout: &out, Stderr: &errs})
		return code, out.String() + errs.String()
	}
	if code, text := run("add", "ann", "--role", "viewer"); code != 0 {
		t.Fatal(text)
	}
	file := filepath.Join(data, access.FileName)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(good, []byte(`"viewer"`), []byte(`"admin"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"ls"}, 1, "user check"},
		{[]string{"check"}, 1, "admin"},
		{[]string{"check", "--accept"}, 0, "is whole"},
		{[]string{"check"}, 0, "admin"},
	} {
		if code, text := run(c.args...); code != c.code || !strings.Contains(text, c.want) {
			t.Errorf("%q: exit %d: %s, want %d and %q", c.args, code, text, c.code, c.want)
		}
	}
}

// A password can be piped in, and is then nowhere to be seen.
func TestPasswordFromStandardInput(t *testing.T) {
	data := t.TempDir()
	run := func(stdin string, args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := Main(t.Context(), Process{Args: append([]string{"camqtt", "user"}, append(args, "--data", data)...), Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs})
		return code, out.String() + errs.String()
	}
	if code, text := run("correct horse battery\n", "add", "ann", "--role", "viewer", "--password-file", "-"); code != 0 || strings.Contains(text, "horse") {
		t.Fatalf("exit %d: %s", code, text)
	}
	if code, text := run("short\n", "passwd", "ann", "--password-file", "-"); code != 2 || !strings.Contains(text, "at least 12") {
		t.Errorf("a short one: exit %d: %s", code, text)
	}
	if code, text := run("another good password", "passwd", "ann", "--password-file", "-"); code != 0 {
		t.Errorf("without a line's end: exit %d: %s", code, text)
	}
	a, err := access.Open(access.Options{File: filepath.Join(data, access.FileName)})
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"another good password": true, "correct horse battery": false} {
		if _, err := a.Identify(t.Context(), access.Attempt{User: "ann", Secret: password}); (err == nil) != want {
			t.Errorf("%s: %v", password, err)
		}
	}
}
