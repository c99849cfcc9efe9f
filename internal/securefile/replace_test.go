package securefile

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

func write(t testing.TB, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// A replaced file is readable only by its owner, whatever its mode was. No temporary file remains.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.json")
	write(t, name, "old", 0o644)
	for _, text := range []string{"new", ""} {
		if err := Replace(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || string(got) != text {
			t.Errorf("got %q, %v, want %q", got, err, text)
		}
	}
	st, err := os.Stat(name)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("beside it is %v", all)
	}
	if err := Replace(filepath.Join(dir, "none", "a.json"), nil); err == nil {
		t.Error("a folder that is not there: no error")
	}
}

// Sweep removes the temporary files of one file, and nothing else.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.json")
	for _, f := range []string{"a.json", ".a.json1", ".a.json22", "a.json.bak", ".a.json.bak1", ".a.json", ".b.json1"} {
		write(t, filepath.Join(dir, f), "x", 0o600)
	}
	Sweep(name)
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 5 {
		t.Errorf("left are %v, %v", all, err)
	}
}

// The lock excludes others: a number that several goroutines increment loses no increment.
func TestLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "n")
	write(t, name, "0", 0o600)
	const workers, rounds = 4, 10
	var all sync.WaitGroup
	for range workers {
		all.Go(func() { // ends after its rounds
			for range rounds {
				release, err := Lock(name)
				if err != nil {
					t.Error(err)
					return
				}
				text, _ := os.ReadFile(name)
				n, _ := strconv.Atoi(string(text))
				if err := Replace(name, []byte(strconv.Itoa(n+1))); err != nil {
					t.Error(err)
				}
				release()
			}
		})
	}
	all.Wait()
	if text, _ := os.ReadFile(name); string(text) != strconv.Itoa(workers*rounds) {
		t.Errorf("counted %s, want %d", text, workers*rounds)
	}
}

// TryLock fails while the lock is held, and succeeds afterwards.
func TestTryLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "n")
	release, err := Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryLock(name); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is held: %v, want %v", err, ErrLocked)
	}
	release()
	if release, err = TryLock(name); err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := TryLock(name); !errors.Is(err, ErrLocked) {
		t.Errorf("while TryLock holds it: %v, want %v", err, ErrLocked)
	}
}

// A symbolic link is followed: its target is replaced, and the link stays.
func TestReplaceFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	target, name := filepath.Join(dir, "kept", "a.json"), filepath.Join(dir, "a.json")
	if err := os.Mkdir(filepath.Dir(target), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("kept", "a.json"), name); err != nil {
		t.Fatal(err)
	}
	pending := filepath.Join(dir, "pending")
	write(t, pending, "moved", 0o600)
	for want, do := range map[string]func() error{
		"new":   func() error { return Replace(name, []byte("new")) },
		"moved": func() error { return Rename(pending, name) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(target)
		if err != nil || string(got) != want {
			t.Errorf("the file that the link leads to has %q, %v, want %q", got, err, want)
		}
		if st, err := os.Lstat(name); err != nil || st.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link is %v, %v", st.Mode(), err)
		}
	}
}
