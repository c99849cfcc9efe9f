package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camqtt/internal/datadir"
)

// TestMark marks a folder once, and takes no folder of a newer version and no damaged mark.
func TestMark(t *testing.T) {
	dir := t.TempDir()
	if err := datadir.Check(filepath.Join(dir, "none")); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
	for range 2 {
		if err := datadir.Mark(dir); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, datadir.FileName)
	good, err := os.ReadFile(name)
	if err != nil || string(good) != "camqtt data folder, format 1\n" {
		t.Fatalf("%q, %v", good, err)
	}
	for text, newer := range map[string]bool{
		"camqtt data folder, format 2\n": true, "camqtt data folder, format 99": true,
		"": false, "1\n": false, "camqtt data folder, format -1": false, "\x00\x00": false, "camqtt data folder, format 1 2": false,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{"check": datadir.Check(dir), "mark": datadir.Mark(dir)} {
			if err == nil || errors.Is(err, datadir.ErrNewer) != newer || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "copy") {
				t.Errorf("%s of %q: %v", what, text, err)
			}
		}
		if after, _ := os.ReadFile(name); string(after) != text {
			t.Errorf("%q became %q", text, after)
		}
	}
}
