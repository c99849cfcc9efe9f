//go:build linux || darwin || freebsd || netbsd || openbsd

package access_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
)

// A14. Whoever owns the folder of the accounts gets nothing by planting links in it:
// root, who adds an account with sudo, neither writes through them nor gives away what
// they lead to.
func TestPlantedLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can give files away
	}
	for kind, plant := range map[string]func(old, link string) error{"symbolic": os.Symlink, "hard": os.Link} {
		for _, suffix := range []string{".lock", ".bak", ""} {
			dir := t.TempDir()
			precious := filepath.Join(t.TempDir(), "precious")
			if err := os.WriteFile(precious, []byte("root's own"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(dir, 65534, 65534); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, access.FileName)
			if err := plant(precious, file+suffix); err != nil {
				t.Fatal(err)
			}
			if _, err := access.Add(file, viewer("ann"), ""); err == nil && suffix != ".bak" {
				t.Errorf("%s link as %q: an account was added", kind, suffix)
			}
			st, err := os.Stat(precious)
			if err != nil {
				t.Fatal(err)
			}
			if owner := st.Sys().(*syscall.Stat_t).Uid; owner != 0 {
				t.Errorf("%s link as %q: what it leads to belongs to %d now", kind, suffix, owner)
			}
			if text, err := os.ReadFile(precious); err != nil || string(text) != "root's own" {
				t.Errorf("%s link as %q: what it leads to is %q, %v", kind, suffix, text, err)
			}
		}
	}
}

// A14. A file that somebody else has put there, or could, is nobody's accounts.
func TestForeignFile(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can give files away
	}
	for name, c := range map[string]struct {
		folder, file int // owners
		mode         os.FileMode
		taken        bool
	}{
		"a stranger's file":            {0, 65534, 0o755, false},
		"a folder open to all":         {0, 0, 0o777, false},
		"a folder like /tmp":           {0, 0, 0o777 | os.ModeSticky, true},
		"a stranger's file in /tmp":    {0, 65534, 0o777 | os.ModeSticky, false},
		"all of the service's user":    {65534, 65534, 0o755, true},
		"root's file in user's folder": {65534, 0, 0o700, true},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, access.FileName)
		if _, err := access.Add(file, viewer("ann"), ""); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chown(file, c.file, c.file), os.Chown(dir, c.folder, c.folder), os.Chmod(dir, c.mode)); err != nil {
			t.Fatal(err)
		}
		a, err := access.Open(access.Options{File: file})
		if taken := err == nil && a.Exist(); taken != c.taken {
			t.Errorf("%s: %v, want it taken: %v", name, err, c.taken)
		}
		if err == nil {
			continue
		}
		_, command, _ := strings.Cut(err.Error(), "Try: ") // chown or chmod
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
			t.Errorf("%s: the advice %q fails: %v\n%s", name, command, err, out)
		}
		if a, err := access.Open(access.Options{File: file}); err != nil || !a.Exist() {
			t.Errorf("%s: %v, after following the advice %q", name, err, command)
		}
	}
}

// A pipe in the place of the accounts is refused and not waited for.
func TestPipe(t *testing.T) {
	file := filepath.Join(t.TempDir(), access.FileName)
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { // ends when somebody has opened the pipe, at the latest below
		_, err := access.Open(access.Options{File: file})
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "no ordinary file") {
			t.Errorf("a pipe: %v", err)
		}
	case <-time.After(testkit.Patience):
		t.Error("it waits for the pipe")
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		<-done
	}
}
