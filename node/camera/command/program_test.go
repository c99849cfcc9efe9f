package command

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// A well-behaved program ends at once when asked, after putting things in order.
func TestExecStops(t *testing.T) {
	cameratest.Leaks(t)
	s, notes := script(t, `trap 'echo bye > $2/bye; exit 0' INT; echo $$ > $2/pid; while :; do cat $1; sleep 0.02; done`, camera.Options{StopGrace: cameratest.Unhurried})
	if err := cameratest.StopAfter(t, s, func(n int) bool { return n >= 3 }); err != nil {
		t.Errorf("Stream = %v, want nil", err)
	}
	if _, err := os.Stat(filepath.Join(notes, "bye")); err != nil {
		t.Errorf("the program was not asked by SIGINT: %v", err)
	}
	if pid := cameratest.PidIn(t, filepath.Join(notes, "pid")); cameratest.Alive(pid) {
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
			cameratest.Leaks(t)
			s, notes := script(t, body, camera.Options{})
			own, other := 0, 0
			err := cameratest.StopAfter(t, s, func(n int) bool {
				own, other = cameratest.PidIn(t, filepath.Join(notes, "own")), cameratest.PidIn(t, filepath.Join(notes, "pid"))
				return n == 1
			})
			if err != nil {
				t.Errorf("Stream = %v, want nil", err)
			}
			for _, pid := range []int{own, other} {
				cameratest.Eventually(t, fmt.Sprintf("process %d ends", pid), func() bool { return !cameratest.Alive(pid) })
			}
		})
	}
}

// The program ends by itself and leaves one behind that holds its output open:
// in its group it is killed, outside it is left, and neither holds Stream up.
func TestExecLeftBehind(t *testing.T) {
	for name, start := range map[string]string{"in the group": "", "outside": "setsid "} {
		t.Run(name, func(t *testing.T) {
			cameratest.Leaks(t)
			s, notes := script(t, start+`sh -c 'echo $$ > '$2'/pid; exec sleep 1000' & while [ ! -s $2/pid ]; do sleep 0.01; done; cat $1; exit 7`, camera.Options{})
			e, got := cameratest.Fails(t, s, camera.Mode{})
			if !strings.Contains(e.Text, "exit status 7") || len(got) != 1 {
				t.Errorf("after %d pictures %q", len(got), e.Text)
			}
			pid := cameratest.PidIn(t, filepath.Join(notes, "pid"))
			if start == "" {
				cameratest.Eventually(t, "the grandchild ends", func() bool { return !cameratest.Alive(pid) })
			} else if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Errorf("the process outside: %v", err)
			}
		})
	}
}

// Rubbish for ever is given up early, costs no memory, and is described.
func TestExecRubbish(t *testing.T) {
	cameratest.Leaks(t)
	s, _ := script(t, `echo no camera >&2; exec cat /dev/zero`, camera.Options{StopGrace: cameratest.Unhurried})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e, _ := cameratest.Fails(t, s, camera.Mode{})
	runtime.ReadMemStats(&after)
	if e.Code != camera.Stalled || !regexp.MustCompile(`was ended after 0 pictures: it wrote \d+ bytes that begin with 00 00`).MatchString(e.Text) {
		t.Errorf("%s: %q", e.Code, e.Text)
	}
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

// What a program says that hangs, and what it has written, is told while it runs.
func TestExecReport(t *testing.T) {
	s, _ := script(t, `printf 'no picture'; echo 'sensor not found' >&2; exec sleep 1000`, camera.Options{StopGrace: cameratest.Unhurried})
	err := cameratest.StopAfter(t, s, func(int) bool {
		text := s.(interface{ Report() string }).Report()
		return strings.Contains(text, `has written 10 bytes that begin with "no picture" and says: sensor not found`)
	})
	if err != nil {
		t.Error(err)
	}
}

// The child must live while the goroutines that started it come and go: the
// kernel would kill it with the thread that started it.
func TestExecOutlivesThreads(t *testing.T) {
	s, _ := script(t, `i=0; while [ $i -lt 60 ]; do cat $1; sleep 0.01; i=$((i+1)); done; exit 9`, camera.Options{})
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
	e, got := cameratest.Fails(t, s, camera.Mode{})
	close(stop)
	<-churned
	if !strings.Contains(e.Text, "exit status 9") || len(got) != 60 {
		t.Errorf("after %d pictures %q, want 60 and exit status 9", len(got), e.Text)
	}
}

// When this process is killed, so is the child.
func TestExecDiesWithUs(t *testing.T) {
	if os.Getenv("CAMERA_TEST_PARENT") != "" {
		s := open(t, os.Getenv("CAMERA_TEST_PARENT"), camera.Options{})
		_ = s.Stream(t.Context(), camera.Mode{}, func(camera.Frame) {})
		return
	}
	notes := t.TempDir()
	sh := filepath.Join(notes, "x.sh")
	cameratest.Write(t, sh, []byte("echo $$ > "+notes+"/pid; exec sleep 1000"))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self, "-test.run", "^TestExecDiesWithUs$")
	parent.Env = append(os.Environ(), "CAMERA_TEST_PARENT=exec:sh "+sh)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cameratest.PidIn(t, filepath.Join(notes, "pid"))
	if !cameratest.Alive(pid) {
		t.Error("the child does not live while its parent does")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	cameratest.Eventually(t, "the child is killed", func() bool { return !cameratest.Alive(pid) })
}
