package cli

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"camqtt/internal/access"
)

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
