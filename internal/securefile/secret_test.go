package securefile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camqtt/internal/securefile"
)

func TestReadSecretLooksAtTheMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := os.Getuid() == 0
	if root { // somebody who is not root, for whom the rule is stricter
		if err := os.Chown(path, 1000, 1000); err != nil {
			t.Fatal(err)
		}
	}
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o644: false, 0o604: false, 0o620: false, 0o666: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		b, err := securefile.ReadSecret(path)
		switch {
		case ok && (err != nil || string(b) != "hunter2"):
			t.Errorf("mode %04o: %q, %v: want it read", mode, b, err)
		case !ok && (err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("mode %04o: %q, %v: want it refused with the cure", mode, b, err)
		}
	}
	if !root {
		return
	}
	if err := os.Chown(path, 0, 1000); err != nil { // of root, for the group of a service
		t.Fatal(err)
	}
	for mode, ok := range map[os.FileMode]bool{0o640: true, 0o440: true, 0o660: false, 0o644: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := securefile.ReadSecret(path); (err == nil) != ok {
			t.Errorf("mode %04o of root: %v, want read %v", mode, err, ok)
		}
	}
}

func TestReadSecretIsBounded(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{big, dir, filepath.Join(dir, "missing")} {
		if b, err := securefile.ReadSecret(name); err == nil || b != nil {
			t.Errorf("%s: %d bytes, %v: want an error", name, len(b), err)
		}
	}
}

func TestLocateSecret(t *testing.T) {
	for _, c := range []struct{ name, folder, want, err string }{
		{"/etc/x", "/run/c", "/etc/x", ""},
		{"", "/run/c", "", ""},
		{"credential:mqtt", "/run/c", "/run/c/mqtt", ""},
		{"credential:mqtt", "", "", "CREDENTIALS_DIRECTORY is not set"},
		{"credential:", "/run/c", "", "want a name"},
		{"credential:..", "/run/c", "", "want a name"},
		{"credential:../shadow", "/run/c", "", "want a name"},
	} {
		got, err := securefile.LocateSecret(c.name, c.folder)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("LocateSecret(%q, %q) = %q, %v", c.name, c.folder, got, err)
		}
	}
}
