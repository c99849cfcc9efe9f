package camera

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/testkit/faketime"
)

// A well-behaved program ends at once when asked, after putting things in order.
func TestExecStops(t *testing.T) {
	leaks(t)
	s, notes := script(t, `trap 'echo bye > $2/bye; exit 0' INT; echo $$ > $2/pid; while :; do cat $1; sleep 0.02; done`, Options{grace: unhurried})
	if err := stopAfter(t, s, func(n int) bool { return n >= 3 }); err != nil {
		t.Errorf("Stream = %v, want nil", err)
	}
	if _, err := os.Stat(filepath.Join(notes, "bye")); err != nil {
		t.Errorf("the program was not asked by SIGINT: %v", err)
	}
	if pid := pidIn(t, filepath.Join(notes, "pid")); alive(pid) {
		t.Errorf("process %d lives", pid)
	}
}

// A program that does not listen is killed, and so is what it started.
func TestExecStopsTheStubborn(t *testing.T) {
	for name, body := range map[string]string{
		"ignores SIGINT":             `trap '' INT; sh -c 'echo $$ > '$2'/pid; exec sleep 1000' & echo $$ > $2/own; cat $1; while :; do sleep 1; done`,
		"dies, grandchild ignores":   `(trap '' INT; echo x; exec sleep 1000) >/dev/null & echo $! > $2/pid; echo $$ > $2/own; cat $1; exec sleep 1000`,
		"grandchild holds the pipes": `sh -c 'trap "" INT; echo $$ > '$2'/pid; while :; do sleep 1; done' & echo $$ > $2/own; cat $1; wait`,
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			s, notes := script(t, body, Options{})
			own, other := 0, 0
			err := stopAfter(t, s, func(n int) bool {
				own, other = pidIn(t, filepath.Join(notes, "own")), pidIn(t, filepath.Join(notes, "pid"))
				return n == 1
			})
			if err != nil {
				t.Errorf("Stream = %v, want nil", err)
			}
			for _, pid := range []int{own, other} {
				eventually(t, fmt.Sprintf("process %d ends", pid), func() bool { return !alive(pid) })
			}
		})
	}
}

// The program ends by itself and leaves one behind that holds its output open:
// in its group it is killed, outside it is left, and neither holds Stream up.
func TestExecLeftBehind(t *testing.T) {
	for name, start := range map[string]string{"in the group": "", "outside": "setsid "} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			s, notes := script(t, start+`sh -c 'echo $$ > '$2'/pid; exec sleep 1000' & while [ ! -s $2/pid ]; do sleep 0.01; done; cat $1; exit 7`, Options{})
			e, got := fails(t, s, Mode{})
			if !strings.Contains(e.Text, "exit status 7") || len(got) != 1 {
				t.Errorf("after %d pictures %q", len(got), e.Text)
			}
			pid := pidIn(t, filepath.Join(notes, "pid"))
			if start == "" {
				eventually(t, "the grandchild ends", func() bool { return !alive(pid) })
			} else if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Errorf("the process outside: %v", err)
			}
		})
	}
}

// Rubbish for ever is given up early, costs no memory, and is described.
func TestExecRubbish(t *testing.T) {
	leaks(t)
	s, _ := script(t, `echo no camera >&2; exec cat /dev/zero`, Options{grace: unhurried})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e, _ := fails(t, s, Mode{})
	runtime.ReadMemStats(&after)
	if e.Code != Stalled || !regexp.MustCompile(`was ended after 0 pictures: it wrote \d+ bytes that begin with 00 00`).MatchString(e.Text) {
		t.Errorf("%s: %q", e.Code, e.Text)
	}
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

// What a program says that hangs, and what it has written, is told while it runs.
func TestExecReport(t *testing.T) {
	s, _ := script(t, `printf 'no picture'; echo 'sensor not found' >&2; exec sleep 1000`, Options{grace: unhurried})
	err := stopAfter(t, s, func(int) bool {
		text := s.(interface{ Report() string }).Report()
		return strings.Contains(text, `has written 10 bytes that begin with "no picture" and says: sensor not found`)
	})
	if err != nil {
		t.Error(err)
	}
}

// More pictures than anybody can ask for are read more slowly.
func TestPictureReaderPace(t *testing.T) {
	pic := drawn(t, 1)
	faketime.Run(t, func(t *testing.T) {
		in := newPictureReader(bytes.NewReader(bytes.Repeat(pic, 10*fastest)), maxPicture, &received{})
		start, n := time.Now(), 0
		for {
			if _, err := in.next(t.Context(), func(Frame) {}); err != nil {
				break
			}
			n++
		}
		if took := time.Since(start); n != 10*fastest || took < 9*time.Second || took > 11*time.Second {
			t.Errorf("%d pictures in %v, want %d in 10 s", n, took, 10*fastest)
		}
	})
}

// The child must live while the goroutines that started it come and go: the
// kernel would kill it with the thread that started it.
func TestExecOutlivesThreads(t *testing.T) {
	s, _ := script(t, `i=0; while [ $i -lt 60 ]; do cat $1; sleep 0.01; i=$((i+1)); done; exit 9`, Options{})
	stop := make(chan struct{})
	churned := make(chan struct{})
	go func() { // ends when stop is closed; waited for below
		defer close(churned)
		for {
			select {
			case <-stop:
				return
			default:
			}
			done := make(chan struct{})
			go func() { // ends at once, and its thread with it
				runtime.LockOSThread()
				close(done)
			}()
			<-done
		}
	}()
	e, got := fails(t, s, Mode{})
	close(stop)
	<-churned
	if !strings.Contains(e.Text, "exit status 9") || len(got) != 60 {
		t.Errorf("after %d pictures %q, want 60 and exit status 9", len(got), e.Text)
	}
}

// When this process is killed, so is the child.
func TestExecDiesWithUs(t *testing.T) {
	if os.Getenv("CAMERA_TEST_PARENT") != "" {
		s := open(t, os.Getenv("CAMERA_TEST_PARENT"), Options{})
		_ = s.Stream(t.Context(), Mode{}, func(Frame) {})
		return
	}
	notes := t.TempDir()
	sh := filepath.Join(notes, "x.sh")
	write(t, sh, []byte("echo $$ > "+notes+"/pid; exec sleep 1000"))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self, "-test.run", "^TestExecDiesWithUs$")
	parent.Env = append(os.Environ(), "CAMERA_TEST_PARENT=exec:sh "+sh)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := pidIn(t, filepath.Join(notes, "pid"))
	if !alive(pid) {
		t.Error("the child does not live while its parent does")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	eventually(t, "the child is killed", func() bool { return !alive(pid) })
}

// What a program has written is read though its time was over before anybody here
// came to read: on a machine with too much to do restGrace is short.
func TestExecLastWords(t *testing.T) {
	pic := filepath.Join(t.TempDir(), "pic.jpg")
	write(t, pic, drawn(t, 1))
	p, err := start([]string{"sh", "-c", "cat " + pic + "; echo sorry >&2; exit 3"})
	if err != nil {
		t.Fatal(err)
	}
	<-p.exited
	for _, o := range []struct {
		from *output
		want string
	}{{p.stdout, string(drawn(t, 1))}, {p.stderr, "sorry\n"}} {
		if err := o.from.file.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		if _, err := io.Copy(&got, o.from); got.String() != o.want || err != nil {
			t.Errorf("read %d bytes, %v, want the %d that were written", got.Len(), err, len(o.want))
		}
		o.from.Close()
	}
}

// Who has left the program's group and writes on is not listened to for ever.
func TestExecLastWordsOfOthers(t *testing.T) {
	ours, theirs, err := newOutput()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends when the pipe is closed
		defer close(ended)
		for err := error(nil); err == nil; _, err = theirs.Write(make([]byte, 1000)) {
		}
	}()
	if err := ours.file.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(ours)
	if len(got) > pipeRoom || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v, want at most what a pipe holds, and the deadline", len(got), err)
	}
	ours.Close()
	<-ended
	theirs.Close()
}

func TestTail(t *testing.T) {
	var s tail
	for i := range 1000 {
		fmt.Fprintf(&s, "line %d\n", i)
	}
	if got := s.String(); len(got) > tailSize || len(got) < tailSize-10 || !strings.HasSuffix(got, "line 999\n") {
		t.Errorf("remembered %d bytes that end in %q", len(got), got[max(0, len(got)-20):])
	}
	if got := s.lastLine(); got != "line 999" {
		t.Errorf("last line %q", got)
	}
	s = tail{}
	fmt.Fprintf(&s, "http://u:%s", strings.Repeat("x", 3*tailSize))
	if got := s.String(); got != "" {
		t.Errorf("piece of a word remembered: %.20q", got)
	}
}
