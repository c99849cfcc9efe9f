package camera

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func need(t testing.TB, program string) {
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
const patience = 2 * time.Minute

// eventually waits for a condition that other processes or goroutines bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) { // between looks at a condition
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// leaks fails the test if it ends with more goroutines or descriptors than it
// began with.
func leaks(t testing.TB) {
	t.Helper()
	leaksSoon(t)
	open := descriptors(t)
	t.Cleanup(func() {
		if n := descriptors(t); n > open {
			t.Errorf("%d descriptors were left open", n-open)
		}
	})
}

// leaksSoon is leaks for a test that has the other end of the connections too,
// which closes a little later.
func leaksSoon(t testing.TB) {
	t.Helper()
	r, w, err := os.Pipe() // the runtime's poller has descriptors of its own from the first use on
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	goroutines, open := runtime.NumGoroutine(), descriptors(t)
	t.Cleanup(func() {
		eventually(t, "all goroutines end and all descriptors are closed", func() bool {
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
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return state[0] != 'Z' && state[0] != 'X'
}

// unhurried is for programs that end when they are asked to: they are not killed,
// however long they need for that.
const unhurried = time.Hour

// script is an exec source that runs a shell script with the path of a picture
// and of a folder for notes as its arguments.
func script(t testing.TB, body string, o Options) (s Source, notes string) {
	t.Helper()
	notes = t.TempDir()
	pic := filepath.Join(notes, "pic.jpg")
	write(t, pic, drawn(t, 1))
	sh := filepath.Join(notes, "script.sh")
	write(t, sh, []byte(body))
	return open(t, fmt.Sprintf("exec:sh '%s' '%s' '%s'", sh, pic, notes), o), notes
}

func pidIn(t testing.TB, path string) int {
	t.Helper()
	var pid int
	eventually(t, "a process notes its number", func() bool {
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
func stopAfter(t testing.TB, s Source, met func(pictures int) bool) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	frames, ended := make(chan struct{}, 1000), make(chan error, 1)
	go func() { // ends when ctx is done; it is waited for below
		ended <- s.Stream(ctx, Mode{}, func(Frame) {
			select {
			case frames <- struct{}{}:
			default:
			}
		})
	}()
	eventually(t, "the condition for stopping is met", func() bool { return met(len(frames)) })
	cancel()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		t.Fatal("Stream does not return")
		return nil
	}
}

// The real thing, with both ways of framing.
func TestExecFfmpeg(t *testing.T) {
	need(t, "ffmpeg")
	for _, format := range []string{"mpjpeg", "mjpeg"} {
		t.Run(format, func(t *testing.T) {
			leaks(t)
			s := open(t, "exec:ffmpeg -nostdin -hide_banner -loglevel error -re -f lavfi -i testsrc2=size={width:320}x{height:240}:rate={fps} "+
				"-an -c:v mjpeg -q:v 5 -pix_fmt yuvj420p -f "+format+" -", Options{})
			if p := s.Profile(); p.Model != "ffmpeg" || !slices.Equal(p.Caps, []string{CapSize, CapFPS}) {
				t.Errorf("profile %+v", p)
			}
			start := time.Now()
			frames := take(t, s, Mode{Width: 640, Height: 480, FPS: 20}, 5)
			for i, f := range frames {
				if got := decode(t, f.JPEG).Rect.Size(); got.X != 640 || got.Y != 480 {
					t.Errorf("picture %d is of %v, want 640x480", i, got)
				}
				if i > 0 && bytes.Equal(f.JPEG, frames[i-1].JPEG) {
					t.Errorf("pictures %d and %d are the same", i-1, i)
				}
				if f.At.Before(start) || f.At.After(time.Now()) || i > 0 && f.At.Before(frames[i-1].At) {
					t.Errorf("picture %d is of %v", i, f.At)
				}
			}
			if f := take(t, s, Mode{}, 1)[0]; decode(t, f.JPEG).Rect.Dx() != 320 {
				t.Error("the size in the placeholder is not the default")
			}
		})
	}
}

// A program that fails says why in its last line; that is passed on, without the
// password.
func TestExecFfmpegFails(t *testing.T) {
	need(t, "ffmpeg")
	leaks(t)
	e, _ := fails(t, open(t, "exec:ffmpeg -nostdin -hide_banner -loglevel error -i http://me:topsecret@127.0.0.1:1/x -f mpjpeg -", Options{}), Mode{})
	if e.Code != NoCamera || !strings.Contains(e.Text, `program "ffmpeg" ended after 0 pictures, exit status `) || !strings.Contains(e.Text, "refused") {
		t.Errorf("got %s: %q", e.Code, e.Text)
	}
	if strings.Contains(e.Text, "topsecret") {
		t.Errorf("the password is told: %q", e.Text)
	}
	e, _ = fails(t, open(t, "exec:ffmpeg -nostdin -hide_banner -loglevel error -stimeout 1 -i x -f mpjpeg -", Options{}), Mode{})
	if e.Code != Config || !strings.HasSuffix(e.Text, "Option not found") {
		t.Errorf("unknown option: %s: %q", e.Code, e.Text)
	}
}

func TestExecCommand(t *testing.T) {
	s := open(t, `exec:cam -s {width}x{height:99} "-f {fps}" {quality}{quality} {rotate} {other} $HOME {width:1280}`, Options{Rotate: "180"}).(*sieve).Source.(*execSource)
	for want, m := range map[string]Mode{
		"cam|-s|640x99|-f 10|8080|180|{other}|$HOME|1280":                 {},
		"cam|-s|1920x1080|-f 2.5|7575|180|{other}|$HOME|1920":             {Width: 1920, Height: 1080, FPS: 2.5, Quality: 75},
		"cam|-s|640x99|-f 0.016666666666666666|11|180|{other}|$HOME|1280": {FPS: 1.0 / 60, Quality: 1},
	} {
		if got := strings.Join(s.command(m), "|"); got != want {
			t.Errorf("command for %+v is %s, want %s", m, got, want)
		}
	}
}

func TestExecErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		code   Code
		text   string
		frames int
	}{
		"dies at once":       {"echo one >&2; printf '  last\\tline \\n\\n' >&2; exit 3", NoCamera, "ended after 0 pictures, exit status 3: last line", 0},
		"ends":               {"cat $1 $1", NoCamera, "ended after 2 pictures, exit status 0", 2},
		"is killed":          {"cat $1; kill -9 $$", NoCamera, "ended after 1 picture, signal: killed", 1},
		"gives no JPEG":      {"echo hello", Config, `exit status 0: it wrote 6 bytes that begin with "hello", but no whole JPEG`, 0},
		"gives nothing":      {"true", NoCamera, "ended after 0 pictures, exit status 0", 0},
		"half a picture":     {"head -c 500 $1; exit 1", NoCamera, "after 0 pictures, exit status 1", 0},
		"busy":               {"echo 'ERROR: *** failed to acquire camera /base/soc *** ' >&2; echo bye >&2; exit 255", CameraBusy, "exit status 255: bye", 0},
		"unknown command":    {"no-such-command-at-all", Config, "exit status 127: ", 0},
		"closes its output":  {"cat $1; exec >&-; sleep 100", NoCamera, "ended after 1 picture, signal: interrupt", 1},
		"10 MB of complaint": {"cat $1; head -c 10000000 /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo done >&2; cat $1; exit 4", NoCamera, "after 2 pictures, exit status 4: done", 2},
		"secrets and colour": {"printf '\\033[31mopen http://a:geheim@h/?token=geheim: no\\033[0m\\r' >&2; exit 1", NoCamera, ": open http://h/***: no", 0},
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			s, _ := script(t, tt.script, Options{grace: unhurried})
			e, got := fails(t, s, Mode{})
			if e.Code != tt.code || !strings.Contains(e.Text, tt.text) || len(got) != tt.frames {
				t.Errorf("after %d pictures %s: %q, want %d, %s with %q", len(got), e.Code, e.Text, tt.frames, tt.code, tt.text)
			}
			if strings.Contains(e.Text, "geheim") || len(e.Text) > 2*maxText {
				t.Errorf("text %q", e.Text)
			}
		})
	}
	for program, want := range map[string]string{
		"no-such-program-here": `program "no-such-program-here" not found: is it installed`,
		"/no/such/program":     `program "/no/such/program" not found`,
		"/etc/passwd":          `program "/etc/passwd" may not be run by this user`,
	} {
		leaks(t)
		e, _ := fails(t, open(t, "exec:"+program+" -x", Options{}), Mode{})
		if e.Code != Config || !strings.Contains(e.Text, want) {
			t.Errorf("%s: %s: %q, want config with %q", program, e.Code, e.Text, want)
		}
	}
}

// What the program says may repeat a password in a form of its own.
func TestExecKnowsItsPassword(t *testing.T) {
	sh := filepath.Join(t.TempDir(), "x.sh")
	write(t, sh, []byte("echo 'login me with ge heim or ge%20heim failed' >&2; exit 1"))
	e, _ := fails(t, open(t, "exec:sh "+sh+" rtsp://me:ge%20heim@host/", Options{}), Mode{})
	if !strings.HasSuffix(e.Text, "login *** with *** or *** failed") {
		t.Errorf("text %q", e.Text)
	}
}

// Settings of this program hold passwords and are not for its children.
func TestExecEnvironment(t *testing.T) {
	t.Setenv("CAMQTT_MQTT_PASSWORD", "geheim")
	t.Setenv("NOTIFY_SOCKET", "/run/x")
	t.Setenv("CAMERA_SETTING", "passed on")
	s, _ := script(t, `echo "got $CAMERA_SETTING$CAMQTT_MQTT_PASSWORD$NOTIFY_SOCKET" >&2; exit 1`, Options{})
	if e, _ := fails(t, s, Mode{}); !strings.HasSuffix(e.Text, ": got passed on") {
		t.Errorf("text %q", e.Text)
	}
}
