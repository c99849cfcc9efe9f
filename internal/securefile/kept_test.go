//go:build linux

package securefile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"camqtt/internal/securefile"
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

// ReplaceKept keeps the previous content, from the first write on.
func TestReplaceKept(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	for _, c := range []struct{ text, kept string }{{"one", "one"}, {"two", "one"}, {"three", "two"}} {
		if err := securefile.ReplaceKept(name, name+".bak", []byte(c.text)); err != nil {
			t.Fatal(err)
		}
		if got, kept := content(t, name), content(t, name+".bak"); got != c.text || kept != c.kept {
			t.Errorf("%q and %q, want %q and %q", got, kept, c.text, c.kept)
		}
	}
}

// On a full disk ReplaceKept replaces a file by a shorter one, with and without a copy that
// it can remove. No temporary file remains.
func TestReplaceKeptOnFullDisk(t *testing.T) {
	for _, copies := range []bool{true, false} {
		dir := testkit.SmallDisk(t, "128k")
		name := filepath.Join(dir, "file")
		if err := securefile.ReplaceKept(name, name+".bak", bytes.Repeat([]byte("x"), 5000)); err != nil {
			t.Fatal(err)
		}
		if !copies {
			if err := os.Remove(name + ".bak"); err != nil {
				t.Fatal(err)
			}
		}
		empty := testkit.FillDisk(t, dir)
		if err := securefile.ReplaceKept(name, name+".bak", bytes.Repeat([]byte("y"), 4500)); err != nil {
			t.Errorf("copies %v: %v", copies, err)
		}
		if got := content(t, name); got != string(bytes.Repeat([]byte("y"), 4500)) {
			t.Errorf("copies %v: %d bytes, %.10q", copies, len(got), got)
		}
		if err := securefile.ReplaceKept(name, name+".bak", bytes.Repeat([]byte("z"), 90_000)); err == nil {
			t.Errorf("copies %v: more than there is room for was written", copies)
		}
		if got := content(t, name); got != string(bytes.Repeat([]byte("y"), 4500)) {
			t.Errorf("copies %v: what found no room changed the file", copies)
		}
		empty()
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".file*")); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}
