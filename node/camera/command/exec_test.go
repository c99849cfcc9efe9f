package command

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/redact"
	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// script is an exec source that runs a shell script with the path of a picture
// and of a folder for notes as its arguments.
func script(t testing.TB, body string, o camera.Options) (s camera.Source, notes string) {
	t.Helper()
	notes = t.TempDir()
	pic := filepath.Join(notes, "pic.jpg")
	cameratest.Write(t, pic, cameratest.Drawn(t, 1))
	sh := filepath.Join(notes, "script.sh")
	cameratest.Write(t, sh, []byte(body))
	return open(t, fmt.Sprintf("exec:sh '%s' '%s' '%s'", sh, pic, notes), o), notes
}

// The real thing, with both ways of framing.
func TestExecFfmpeg(t *testing.T) {
	cameratest.Need(t, "ffmpeg")
	for _, format := range []string{"mpjpeg", "mjpeg"} {
		t.Run(format, func(t *testing.T) {
			cameratest.Leaks(t)
			s := open(t, "exec:ffmpeg -nostdin -hide_banner -loglevel error -re -f lavfi -i testsrc2=size={width:320}x{height:240}:rate={fps} "+
				"-an -c:v mjpeg -q:v 5 -pix_fmt yuvj420p -f "+format+" -", camera.Options{})
			if p := s.Profile(); p.Model != "ffmpeg" || !slices.Equal(p.Caps, []string{camera.CapSize, camera.CapFPS}) {
				t.Errorf("profile %+v", p)
			}
			start := time.Now()
			frames := cameratest.Take(t, s, camera.Mode{Width: 640, Height: 480, FPS: 20}, 5)
			for i, f := range frames {
				if got := cameratest.Decode(t, f.JPEG).Rect.Size(); got.X != 640 || got.Y != 480 {
					t.Errorf("picture %d is of %v, want 640x480", i, got)
				}
				if i > 0 && bytes.Equal(f.JPEG, frames[i-1].JPEG) {
					t.Errorf("pictures %d and %d are the same", i-1, i)
				}
				if f.At.Before(start) || f.At.After(time.Now()) || i > 0 && f.At.Before(frames[i-1].At) {
					t.Errorf("picture %d is of %v", i, f.At)
				}
			}
			if f := cameratest.Take(t, s, camera.Mode{}, 1)[0]; cameratest.Decode(t, f.JPEG).Rect.Dx() != 320 {
				t.Error("the size in the placeholder is not the default")
			}
		})
	}
}

// A program that fails says why in its last line; that is passed on, without the
// password.
func TestExecFfmpegFails(t *testing.T) {
	cameratest.Need(t, "ffmpeg")
	cameratest.Leaks(t)
	e, _ := cameratest.Fails(t, open(t, "exec:ffmpeg -nostdin -hide_banner -loglevel error -i http://me:topsecret@127.0.0.1:1/x -f mpjpeg -", camera.Options{}), camera.Mode{})
	if e.Code != camera.NoCamera || !strings.Contains(e.Text, `program "ffmpeg" ended after 0 pictures, exit status `) || !strings.Contains(e.Text, "refused") {
		t.Errorf("got %s: %q", e.Code, e.Text)
	}
	if strings.Contains(e.Text, "topsecret") {
		t.Errorf("the password is told: %q", e.Text)
	}
	e, _ = cameratest.Fails(t, open(t, "exec:ffmpeg -nostdin -hide_banner -loglevel error -stimeout 1 -i x -f mpjpeg -", camera.Options{}), camera.Mode{})
	if e.Code != camera.Config || !strings.HasSuffix(e.Text, "Option not found") {
		t.Errorf("unknown option: %s: %q", e.Code, e.Text)
	}
}

func TestExecCommand(t *testing.T) {
	s := open(t, `exec:cam -s {width}x{height:99} "-f {fps}" {quality}{quality} {rotate} {other} $HOME {width:1280}`, camera.Options{Rotate: "180"}).(*camera.FrameValidator).Source.(*execSource)
	for want, m := range map[string]camera.Mode{
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
		code   camera.Code
		text   string
		frames int
	}{
		"dies at once":       {"echo one >&2; printf '  last\\tline \\n\\n' >&2; exit 3", camera.NoCamera, "ended after 0 pictures, exit status 3: last line", 0},
		"ends":               {"cat $1 $1", camera.NoCamera, "ended after 2 pictures, exit status 0", 2},
		"is killed":          {"cat $1; kill -9 $$", camera.NoCamera, "ended after 1 picture, signal: killed", 1},
		"gives no JPEG":      {"echo hello", camera.Config, `exit status 0: it wrote 6 bytes that begin with "hello", but no whole JPEG`, 0},
		"gives nothing":      {"true", camera.NoCamera, "ended after 0 pictures, exit status 0", 0},
		"half a picture":     {"head -c 500 $1; exit 1", camera.NoCamera, "after 0 pictures, exit status 1", 0},
		"busy":               {"echo 'ERROR: *** failed to acquire camera /base/soc *** ' >&2; echo bye >&2; exit 255", camera.CameraBusy, "exit status 255: bye", 0},
		"unknown command":    {"no-such-command-at-all", camera.Config, "exit status 127: ", 0},
		"closes its output":  {"cat $1; exec >&-; sleep 100", camera.NoCamera, "ended after 1 picture, signal: interrupt", 1},
		"10 MB of complaint": {"cat $1; head -c 10000000 /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo done >&2; cat $1; exit 4", camera.NoCamera, "after 2 pictures, exit status 4: done", 2},
		"secrets and colour": {"printf '\\033[31mopen http://a:geheim@h/?token=geheim: no\\033[0m\\r' >&2; exit 1", camera.NoCamera, ": open http://h/***: no", 0},
	} {
		t.Run(name, func(t *testing.T) {
			cameratest.Leaks(t)
			s, _ := script(t, tt.script, camera.Options{StopGrace: cameratest.Unhurried})
			e, got := cameratest.Fails(t, s, camera.Mode{})
			if e.Code != tt.code || !strings.Contains(e.Text, tt.text) || len(got) != tt.frames {
				t.Errorf("after %d pictures %s: %q, want %d, %s with %q", len(got), e.Code, e.Text, tt.frames, tt.code, tt.text)
			}
			if strings.Contains(e.Text, "geheim") || len(e.Text) > 2*redact.MaxLine {
				t.Errorf("text %q", e.Text)
			}
		})
	}
	for program, want := range map[string]string{
		"no-such-program-here": `program "no-such-program-here" not found: is it installed`,
		"/no/such/program":     `program "/no/such/program" not found`,
		"/etc/passwd":          `program "/etc/passwd" may not be run by this user`,
	} {
		cameratest.Leaks(t)
		e, _ := cameratest.Fails(t, open(t, "exec:"+program+" -x", camera.Options{}), camera.Mode{})
		if e.Code != camera.Config || !strings.Contains(e.Text, want) {
			t.Errorf("%s: %s: %q, want config with %q", program, e.Code, e.Text, want)
		}
	}
}

// What the program says may repeat a password in a form of its own.
func TestExecKnowsItsPassword(t *testing.T) {
	sh := filepath.Join(t.TempDir(), "x.sh")
	cameratest.Write(t, sh, []byte("echo 'login me with ge heim or ge%20heim failed' >&2; exit 1"))
	e, _ := cameratest.Fails(t, open(t, "exec:sh "+sh+" rtsp://me:ge%20heim@host/", camera.Options{}), camera.Mode{})
	if !strings.HasSuffix(e.Text, "login *** with *** or *** failed") {
		t.Errorf("text %q", e.Text)
	}
}

// Settings of this program hold passwords and are not for its children.
func TestExecEnvironment(t *testing.T) {
	t.Setenv("CAMQTT_MQTT_PASSWORD", "geheim")
	t.Setenv("NOTIFY_SOCKET", "/run/x")
	t.Setenv("CAMERA_SETTING", "passed on")
	s, _ := script(t, `echo "got $CAMERA_SETTING$CAMQTT_MQTT_PASSWORD$NOTIFY_SOCKET" >&2; exit 1`, camera.Options{})
	if e, _ := cameratest.Fails(t, s, camera.Mode{}); !strings.HasSuffix(e.Text, ": got passed on") {
		t.Errorf("text %q", e.Text)
	}
}

// TestExecBroken: what is cut off in a program's output is counted.
func TestExecBroken(t *testing.T) {
	cameratest.Need(t, "cat")
	good := cameratest.Drawn(t, 1)
	path := filepath.Join(t.TempDir(), "stream")
	cameratest.Write(t, path, slices.Concat(good, good[:len(good)/2], good, cameratest.Huge(t), good, good[:len(good)-9]))
	s := open(t, "exec:cat "+path, camera.Options{})
	if _, got := cameratest.Fails(t, s, camera.Mode{}); len(got) != 3 {
		t.Errorf("got %d pictures, want the 3 whole ones", len(got))
	}
	if n, why := s.(*camera.FrameValidator).Broken(); n != 3 || !strings.Contains(why, "cut off") {
		t.Errorf("%d dropped (%s), want 3", n, why)
	}
}

// A program that complains once and goes on gives all its pictures; one that only
// complains is ended, with the reason.
func TestExecHang(t *testing.T) {
	const complain = "echo 'ERROR: Device timeout detected, attempting a restart!!!' >&2; "
	cameratest.Leaks(t)
	s, _ := script(t, "for i in 1 2 3 4 5 6 7 8 9 10; do cat $1; done; "+complain+"cat $1; exit 3", camera.Options{})
	e, got := cameratest.Fails(t, s, camera.Mode{})
	if !strings.Contains(e.Text, "exit status 3") || len(got) != 11 {
		t.Errorf("after %d pictures %q, want all 11", len(got), e.Text)
	}
	s, _ = script(t, "cat $1; trap '' INT; while :; do "+complain+"sleep 0.2; done", camera.Options{})
	e, got = cameratest.Fails(t, s, camera.Mode{})
	if e.Code != camera.Stalled || !strings.Contains(e.Text, "cable") || len(got) != 1 {
		t.Errorf("after %d pictures %s: %q, want stalled", len(got), e.Code, e.Text)
	}
}
