//go:build linux

package private_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"camqtt/internal/private"
	"camqtt/internal/testkit"
)

func content(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// TestReplaceKept keeps what a file was, from the first time on.
func TestReplaceKept(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	for _, c := range []struct{ text, kept string }{{"one", "one"}, {"two", "one"}, {"three", "two"}} {
		if err := private.ReplaceKept(name, name+".bak", []byte(c.text)); err != nil {
			t.Fatal(err)
		}
		if got, kept := content(t, name), content(t, name+".bak"); got != c.text || kept != c.kept {
			t.Errorf("%q and %q, want %q and %q", got, kept, c.text, c.kept)
		}
	}
}

// TestReplaceKeptOnFullDisk replaces a file by a shorter one where there is no room left,
// with the copy to give way and without, and leaves nothing else behind.
func TestReplaceKeptOnFullDisk(t *testing.T) {
	for _, copies := range []bool{true, false} {
		dir := testkit.SmallDisk(t, "128k")
		name := filepath.Join(dir, "file")
		if err := private.ReplaceKept(name, name+".bak", bytes.Repeat([]byte("x"), 5000)); err != nil {
			t.Fatal(err)
		}
		if !copies {
			if err := os.Remove(name + ".bak"); err != nil {
				t.Fatal(err)
			}
		}
		empty := testkit.FillDisk(t, dir)
		if err := private.ReplaceKept(name, name+".bak", bytes.Repeat([]byte("y"), 4500)); err != nil {
			t.Errorf("copies %v: %v", copies, err)
		}
		if got := content(t, name); got != string(bytes.Repeat([]byte("y"), 4500)) {
			t.Errorf("copies %v: %d bytes, %.10q", copies, len(got), got)
		}
		if err := private.ReplaceKept(name, name+".bak", bytes.Repeat([]byte("z"), 90_000)); err == nil {
			t.Errorf("copies %v: more than there is room for was written", copies)
		}
		if got := content(t, name); got != string(bytes.Repeat([]byte("y"), 4500)) {
			t.Errorf("copies %v: what found no room changed the file", copies)
		}
		empty()
		if left, _ := filepath.Glob(name + ".new-*"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}
