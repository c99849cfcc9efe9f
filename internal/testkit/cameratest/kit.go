package cameratest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	stdjpeg "image/jpeg"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit"
	"camqtt/node/camera"
)

// take streams until there are n pictures. It fails when the source fails, or
// gives a picture that is not whole.
func Take(t testing.TB, s camera.Source, m camera.Mode, n int) []camera.Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	var got []camera.Frame
	err := s.Stream(ctx, m, func(f camera.Frame) {
		if in, err := jpeg.Scan(f.JPEG); err != nil || in.Len != len(f.JPEG) {
			t.Errorf("picture %d of %d bytes: %+v, %v", len(got), len(f.JPEG), in, err)
		}
		if got = append(got, f); len(got) == n {
			cancel()
		}
	})
	if err != nil {
		t.Fatalf("after %d pictures: %v", len(got), err)
	}
	if len(got) != n {
		t.Fatalf("got %d pictures, want %d", len(got), n)
	}
	return got
}

// fails streams until the source fails by itself and returns how.
func Fails(t testing.TB, s camera.Source, m camera.Mode) (*camera.Error, []camera.Frame) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	var got []camera.Frame
	err := s.Stream(ctx, m, func(f camera.Frame) { got = append(got, f) })
	e, ok := err.(*camera.Error)
	if !ok {
		t.Fatalf("Stream = %v after %d pictures, want an *Error", err, len(got))
	}
	return e, got
}

// Decode decodes a JPEG.
func Decode(t testing.TB, b []byte) *image.YCbCr {
	t.Helper()
	m, err := stdjpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return m.(*image.YCbCr)
}

// Need skips a test where a program is missing, and fails it on a CI machine.
func Need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing", program)
		}
		t.Skipf("%s is missing", program)
	}
}

// patience is how long tests wait for what must happen: longer than the slowest
// machine needs, since only a test that fails waits for it.
const Patience = 2 * time.Minute

// eventually waits for a condition that other processes or goroutines bring about.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !ok(); time.Sleep(5 * time.Millisecond) { // between looks at a condition
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", Patience, what)
		}
	}
}

// leaks fails the test if it ends with more goroutines or descriptors than it
// began with.
func Leaks(t testing.TB) {
	t.Helper()
	LeaksSoon(t)
	open := descriptors(t)
	t.Cleanup(func() {
		if n := descriptors(t); n > open {
			t.Errorf("%d descriptors were left open", n-open)
		}
	})
}

// leaksSoon is leaks for a test that has the other end of the connections too,
// which closes a little later.
func LeaksSoon(t testing.TB) {
	t.Helper()
	r, w, err := os.Pipe() // the runtime's poller has descriptors of its own from the first use on
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	goroutines, open := runtime.NumGoroutine(), descriptors(t)
	t.Cleanup(func() {
		Eventually(t, "all goroutines end and all descriptors are closed", func() bool {
			return runtime.NumGoroutine() <= goroutines && descriptors(t) <= open
		})
	})
}

func descriptors(t testing.TB) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// alive says whether a process exists and is no zombie.
func Alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return state[0] != 'Z' && state[0] != 'X'
}

// unhurried is for programs that end when they are asked to: they are not killed,
// however long they need for that.
const Unhurried = time.Hour

// PidIn waits for a process id in a file.
func PidIn(t testing.TB, path string) int {
	t.Helper()
	var pid int
	Eventually(t, "a process notes its number", func() bool {
		b, err := os.ReadFile(path)
		if err != nil || !bytes.HasSuffix(b, []byte("\n")) {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	})
	return pid
}

// stopAfter runs a stream until a condition is met, then ends it and returns what
// it said.
func StopAfter(t testing.TB, s camera.Source, met func(pictures int) bool) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	frames, ended := make(chan struct{}, 1000), make(chan error, 1)
	go func() { // ends when ctx is done; it is waited for below
		ended <- s.Stream(ctx, camera.Mode{}, func(camera.Frame) {
			select {
			case frames <- struct{}{}:
			default:
			}
		})
	}()
	Eventually(t, "the condition for stopping is met", func() bool { return met(len(frames)) })
	cancel()
	select {
	case err := <-ended:
		return err
	case <-time.After(Patience):
		t.Fatal("Stream does not return")
		return nil
	}
}

// drawn is a JPEG that differs for each n.
func Drawn(t testing.TB, n int) []byte {
	t.Helper()
	return testkit.JPEG(t, 64, 48, int64(n), 40)
}

// Write writes a file.
func Write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fakeTool is a folder with a shell script of a name in it.
func FakeTool(t testing.TB, name, body string) string {
	t.Helper()
	sh, err := exec.LookPath("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!"+sh+"\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Read reads a file.
func Read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Serve starts a web server for one test.
func Serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

// refusing is an address at which no program listens while the test lasts.
func Refusing(t testing.TB) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port)
}

// HearInterrupts lets programs that tests start get SIGINT. A shell that runs the
// tests in the background has it ignored, and programs inherit that; those that
// camqtt starts do not, because it handles SIGINT itself.
func HearInterrupts() {
	if signal.Ignored(syscall.SIGINT) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGINT)
	}
}

// Open opens a source of one of the kinds.
func Open(t testing.TB, source string, o camera.Options, kinds ...camera.Kind) camera.Source {
	t.Helper()
	s, err := camera.Open(source, o, kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
