package securefile

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func content(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func put(t *testing.T, name, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

func save(t *testing.T, name, text string) {
	t.Helper()
	if err := Write(t.Context(), name, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// A regular file is replaced atomically: an open reader keeps the old content, and no
// temporary file remains.
func TestWriteReplacesRegularFiles(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.jpg")
	save(t, name, "first")
	old, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	save(t, name, "second")
	b := make([]byte, 10)
	n, _ := old.Read(b)
	if string(b[:n]) != "first" || content(t, name) != "second" {
		t.Errorf("an open reader has %q, the file %q", b[:n], content(t, name))
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("the folder has %v", all)
	}
}

// An existing file keeps its mode; the umask decides that of a new one.
func TestWriteKeepsModes(t *testing.T) {
	before := syscall.Umask(0o027)
	defer syscall.Umask(before)
	dir := t.TempDir()
	secret, fresh := filepath.Join(dir, "secret.jpg"), filepath.Join(dir, "fresh.jpg")
	put(t, secret, "old", 0o600)
	for name, want := range map[string]fs.FileMode{secret: 0o600, fresh: 0o640} {
		save(t, name, "new")
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s has the mode %v, %v, want %v", name, st.Mode(), err, want)
		}
	}
}

// Symbolic links are followed, also several and to a file that is not there yet.
func TestWriteFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "far"), 0o755); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "far", "a.jpg")
	for name, to := range map[string]string{"one": filepath.Join("far", "a.jpg"), "two": filepath.Join(dir, "one")} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"made", "replaced"} {
		save(t, filepath.Join(dir, "two"), text)
		if got := content(t, target); got != text {
			t.Errorf("the target has %q, want %q", got, text)
		}
		for _, link := range []string{"one", "two"} {
			if st, err := os.Lstat(filepath.Join(dir, link)); err != nil || st.Mode()&fs.ModeSymlink == 0 {
				t.Errorf("link %s is %v, %v", link, st.Mode(), err)
			}
		}
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), loop, nil); err == nil {
		t.Error("a link to itself: no error")
	}
}

// A link of another user in a world-writable folder is not followed, whether its target
// exists or not. Only root can create such a link in this test.
func TestWriteRefusesPlantedLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		if err := followable("/nowhere/link", nil); err == nil {
			t.Error("a folder that is not there: no error")
		}
		return
	}
	base := t.TempDir()
	dir := filepath.Join(base, "tmp")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	victim, link := filepath.Join(base, "victim"), filepath.Join(dir, "a.jpg")
	put(t, victim, "kept", 0o600)
	const uid = 12345
	for _, to := range []string{victim, filepath.Join(base, "none"), os.DevNull} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
		if err := os.Lchown(link, uid, uid); err != nil {
			t.Fatal(err)
		}
		if err := Write(t.Context(), link, []byte("x")); err == nil {
			t.Errorf("a link of user %d to %s was followed", uid, to)
		}
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
	}
	if got := content(t, victim); got != "kept" {
		t.Errorf("the file has %q", got)
	}
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	if save(t, link, "own"); content(t, victim) != "own" {
		t.Error("a link of one's own was not followed")
	}
}

// A device is written to and stays a device. Creating a null device for the test needs root.
func TestWriteIntoDevices(t *testing.T) {
	name := filepath.Join(t.TempDir(), "null")
	if err := syscall.Mknod(name, syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		name = os.DevNull
	}
	before, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	save(t, name, "picture")
	if after, err := os.Lstat(name); err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode() {
		t.Errorf("the device is now %v, %v, before %v", after.Mode(), err, before.Mode())
	}
}

// The reader of a named pipe gets everything. Waiting for a reader ends with the context.
func TestWriteIntoPipes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	want := errors.New("enough")
	time.AfterFunc(50*time.Millisecond, func() { cancel(want) })
	if err := Write(ctx, name, []byte("x")); !errors.Is(err, want) {
		t.Errorf("without a reader: %v, want %v", err, want)
	}
	big := string(make([]byte, 1<<20)) // more than a pipe holds
	got := make(chan string, 1)
	go func() { // ends with the pipe
		b, _ := os.ReadFile(name)
		got <- string(b)
	}()
	save(t, name, big)
	if b := <-got; b != big {
		t.Errorf("the reader has %d bytes, want %d", len(b), len(big))
	}
	if st, err := os.Lstat(name); err != nil || st.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("the pipe is now %v, %v", st.Mode(), err)
	}
}

// An open descriptor, such as /dev/stdout, is written to at its position.
func TestWriteIntoDescriptors(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("before "); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "stdout")
	if err := os.Symlink("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), link); err != nil {
		t.Fatal(err)
	}
	save(t, link, "picture")
	if got := content(t, f.Name()); got != "before picture" {
		t.Errorf("the file has %q", got)
	}
}

// A folder or a socket is never replaced.
func TestWriteRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	sock := filepath.Join(dir, "sock")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{dir, sock, filepath.Join(dir, "none", "a.jpg")} {
		if err := Write(t.Context(), name, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
		if err := Replace(name); err == nil {
			t.Errorf("replace %s: no error", name)
		}
	}
	if st, err := os.Lstat(sock); err != nil || st.Mode()&fs.ModeSocket == 0 {
		t.Errorf("the socket is %v, %v", st.Mode(), err)
	}
}

// A file in a read-only folder is overwritten in place. The parts are tested alone, because
// root may write to every folder.
func TestInPlace(t *testing.T) {
	for err, want := range map[error]bool{
		&fs.PathError{Err: syscall.EACCES}: true, &os.LinkError{Err: syscall.EBUSY}: true,
		&fs.PathError{Err: syscall.ENOSPC}: false, fs.ErrNotExist: false,
	} {
		if inPlace(err) != want {
			t.Errorf("%v: %v, want %v", err, !want, want)
		}
	}
	name := filepath.Join(t.TempDir(), "a.jpg")
	put(t, name, "longer than the new", 0o640)
	before, _ := os.Stat(name)
	if err := overwrite(name, 0, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(name); !os.SameFile(before, after) || content(t, name) != "new" {
		t.Errorf("the file has %q", content(t, name))
	}
}
