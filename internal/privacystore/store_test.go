package privacystore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"camqtt/internal/privacystore"
	"camqtt/internal/wire"
)

// file is where a folder has what is remembered of camera front.
func file(folder string) string { return filepath.Join(folder, "front.private") }

// camera is the memory of a camera until the test ends.
func camera(t testing.TB, folder string, id wire.ID) *privacystore.Store {
	t.Helper()
	p := privacystore.New(folder, id)
	t.Cleanup(p.Close)
	return p
}

func private(t testing.TB, p *privacystore.Store) bool {
	t.Helper()
	on, err := p.Private()
	if err != nil {
		t.Error(err)
	}
	return on
}

func set(t testing.TB, p *privacystore.Store, on bool) {
	t.Helper()
	if err := p.SetPrivate(on); err != nil {
		t.Fatal(err)
	}
}

// refusal checks that an error names a file or folder and says what to do.
func refusal(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, part := range append(parts, "front.private", "Try: ") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q says nothing of %q", err, part)
		}
	}
}

// restart is the memory as the next run of the program finds it.
func restart(t testing.TB, p *privacystore.Store, folder string) *privacystore.Store {
	t.Helper()
	p.Close()
	return camera(t, folder, "front")
}

// What was said last is found again, for each camera its own; only on leaves a file,
// which is for nobody else to read.
func TestRemembers(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "not", "there", "yet")
	front, back := camera(t, folder, "front"), camera(t, folder, "back")
	if private(t, front) || private(t, back) {
		t.Error("private before anybody has said so")
	}
	set(t, front, false)
	if _, err := os.Stat(folder); err == nil {
		t.Error("a folder was made for nothing")
	}
	set(t, front, true)
	set(t, front, true)
	front = restart(t, front, folder)
	if !private(t, front) || private(t, back) {
		t.Errorf("after on: front %v, back %v", private(t, front), private(t, back))
	}
	for name, want := range map[string]os.FileMode{file(folder): 0o600, folder: 0o700} {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v, want %v", name, st.Mode().Perm(), err, want)
		}
	}
	set(t, back, true)
	set(t, front, false)
	front = restart(t, front, folder)
	if private(t, front) || !private(t, back) {
		t.Errorf("after off: front %v, back %v", private(t, front), private(t, back))
	}
	if _, err := os.Lstat(file(folder)); err == nil {
		t.Error("off leaves the file")
	}
}

// What a crash has left half written is neither on nor in the way.
func TestHalfWritten(t *testing.T) {
	folder := t.TempDir()
	left := filepath.Join(filepath.Dir(file(folder)), "."+filepath.Base(file(folder))+"123")
	if err := os.WriteFile(left, []byte("priv"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := camera(t, folder, "front")
	if private(t, p) {
		t.Error("what was not acknowledged is on")
	}
	set(t, p, true)
	if _, err := os.Lstat(left); err == nil {
		t.Error("it is still there")
	}
}

// Whatever is where the file belongs, the camera is private; what is not the file says
// so, and can be got rid of by switching privacy off.
func TestDamagedIsPrivate(t *testing.T) {
	text := func(s string) func(string) error {
		return func(name string) error { return os.WriteFile(name, []byte(s), 0o600) }
	}
	for name, c := range map[string]struct {
		make func(name string) error
		say  string
	}{
		"empty":            {text(""), "damaged"},
		"rubbish":          {text("\x00\xff{"), "damaged"},
		"cut":              {text("private fron"), "damaged"},
		"another camera's": {text("private fronts\n"), "damaged"},
		"a folder":         {func(name string) error { return os.Mkdir(name, 0o700) }, "no ordinary file"},
		"a pipe":           {func(name string) error { return syscall.Mkfifo(name, 0o600) }, "no ordinary file"},
		"a dangling link":  {func(name string) error { return os.Symlink("nowhere", name) }, "no such file"},
		"a link to itself": {func(name string) error { return os.Symlink(filepath.Base(name), name) }, "too many levels"},
		"unreadable":       {func(name string) error { return os.Symlink("/proc/self/mem", name) }, "input/output error"},
		"foreign":          {foreign, "belongs to user"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if name == "foreign" && os.Geteuid() != 0 {
				return // only root can give a file away
			}
			if err := c.make(file(folder)); err != nil {
				t.Fatal(err)
			}
			p := camera(t, folder, "front")
			on, err := p.Private()
			if !on {
				t.Error("not private")
			}
			refusal(t, err, c.say, file(folder), "switch privacy off")
			set(t, p, false)
			if p = restart(t, p, folder); private(t, p) {
				t.Error("private after it was switched off")
			}
		})
	}
}

// Switching privacy on where the file is damaged writes it anew.
func TestOnMends(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(file(folder), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := camera(t, folder, "front")
	set(t, p, true)
	if p = restart(t, p, folder); !private(t, p) {
		t.Error("not private")
	}
}

func foreign(name string) error {
	if err := os.WriteFile(name, []byte("private front\n"), 0o600); err != nil {
		return err
	}
	return os.Chown(name, 12345, 12345)
}

// Where nothing can be written, that is said, and nothing is there to be forgotten.
func TestUnwritable(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, folder := range map[string]string{
		"a file is in its place": plain, "a file is in the way": filepath.Join(plain, "deeper"), "a kernel's folder": "/proc/none",
	} {
		p := camera(t, folder, "front")
		if private(t, p) {
			t.Errorf("%s: private", name)
		}
		refusal(t, p.SetPrivate(true), folder, "--state")
		set(t, p, false)
	}
}

// A disk that has become read-only still has what was written to it: on is as good as
// it was, and off is not to be had.
func TestNoLongerWritable(t *testing.T) {
	folder := t.TempDir()
	p := camera(t, folder, "front")
	set(t, p, true)
	p = restart(t, p, folder)
	p.Close()
	lock := file(folder) + ".lock"
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(lock, 0o700); err != nil { // for want of such a disk: nothing can be changed here
		t.Fatal(err)
	}
	set(t, p, true)
	refusal(t, p.SetPrivate(false), file(folder), "or remove it")
	if !private(t, restart(t, p, folder)) {
		t.Error("forgotten")
	}
}

// A folder in which anybody can remove the file is not one that keeps it.
func TestOpenFolder(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	refusal(t, camera(t, folder, "front").SetPrivate(true), "chmod 700 "+folder)
}

// Of two programs that have a camera of one name in one folder, neither makes the
// other one's privacy be forgotten; and a program that has ended is in nobody's way.
func TestTwoPrograms(t *testing.T) {
	folder := t.TempDir()
	a, b := camera(t, folder, "front"), camera(t, folder, "front")
	set(t, a, true)
	refusal(t, b.SetPrivate(true), folder)
	refusal(t, b.SetPrivate(false), folder)
	if c := camera(t, folder, "front"); !private(t, c) {
		t.Error("the second has undone what the first remembers")
	}
	a = restart(t, a, folder)
	if !private(t, a) {
		t.Error("forgotten")
	}
	if err := b.SetPrivate(false); err == nil {
		t.Error("the second undoes what the first has found at its start")
	}
	a.Close()
	set(t, b, false)
	if private(t, restart(t, b, folder)) {
		t.Error("private after it was switched off")
	}
}

// Whatever the file has in it the camera is private, and only the file as it is written
// is taken without a word.
func FuzzPrivate(f *testing.F) {
	for _, s := range []string{"", "private front\n", "private front\r\n", "private front", "private fronts\n", "\n", strings.Repeat("x", 10_000)} {
		f.Add([]byte(s))
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(file(folder), text, 0o600); err != nil {
			t.Fatal(err)
		}
		p := privacystore.New(folder, "front")
		defer p.Close()
		on, err := p.Private()
		if good := bytes.HasPrefix(text, []byte("private front\n")); !on || good != (err == nil) {
			t.Errorf("%q: private %v, %v", text, on, err)
		}
	})
}
