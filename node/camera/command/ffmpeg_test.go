package command

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// clip makes a short film of five pictures, 640x480.
func clip(t testing.TB) string {
	t.Helper()
	cameratest.Need(t, "ffmpeg")
	path := filepath.Join(t.TempDir(), "a #1 clip.mp4")
	out, err := exec.Command("ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=640x480:rate=20", "-frames:v", "5", "-c:v", "mpeg4", "-q:v", "3", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return path
}

// burst is how much of a film newer releases of ffmpeg read at once when they begin
// (readrate_initial_burst).
const burst = 500 * time.Millisecond

// A file goes round and round, at its own speed; size, rate and quality are
// obeyed.
func TestFFmpegFile(t *testing.T) {
	film := clip(t)
	cameratest.Leaks(t)
	s := open(t, "ffmpeg:"+film, camera.Options{})
	if p := s.Profile(); p.Kind != "ffmpeg" || !slices.Equal(p.Caps, []string{camera.CapSize, camera.CapFPS, camera.CapQuality}) || p.FirstFrame != 0 {
		t.Errorf("profile %+v", p)
	}
	start := time.Now()
	frames := cameratest.Take(t, s, camera.Mode{}, 40)
	different := 0
	for i, f := range frames {
		if d := cameratest.Decode(t, f.JPEG).Rect.Size(); d.X != 640 || d.Y != 480 {
			t.Errorf("picture %d is of %v", i, d)
		}
		if i > 0 && !bytes.Equal(f.JPEG, frames[i-1].JPEG) {
			different++
		}
	}
	if different < 30 {
		t.Errorf("only %d of 40 pictures differ from the one before", different)
	}
	// Pictures may come late here, and the first later than the last, so what counts
	// is how soon the last comes at the earliest.
	if took := frames[39].At.Sub(start); took < 39*time.Second/20-burst {
		t.Errorf("40 pictures at 20 a second came within %v: the film runs too fast", took)
	}
	for _, fps := range []float64{3, 8, 20} {
		n := int(1.5*fps) + 2 // the first interval may be short
		start := time.Now()
		slow := cameratest.Take(t, s, camera.Mode{FPS: fps}, n)
		if took := slow[n-1].At.Sub(start); took < 1500*time.Millisecond-burst {
			t.Errorf("%d pictures at %v a second came within %v", n, fps, took)
		}
	}
	for _, c := range []struct{ width, height, wantX, wantY int }{
		{320, 240, 320, 240}, {1920, 1080, 640, 480}, {333, 1000, 332, 248}, {1000, 100, 132, 100}, {1, 1, 2, 2},
	} {
		f := cameratest.Take(t, s, camera.Mode{Width: c.width, Height: c.height, FPS: 10}, 1)[0]
		if d := cameratest.Decode(t, f.JPEG).Rect.Size(); d.X != c.wantX || d.Y != c.wantY {
			t.Errorf("asked for %dx%d the picture is %v, want %dx%d", c.width, c.height, d, c.wantX, c.wantY)
		}
	}
	size := 0
	for _, q := range []int{10, 50, 80, 95} {
		n := len(cameratest.Take(t, s, camera.Mode{Quality: q}, 1)[0].JPEG)
		if n <= size {
			t.Errorf("quality %d makes %d bytes, no more than the one below, %d", q, n, size)
		}
		size = n
	}
}

func TestQuantiser(t *testing.T) {
	last := 32
	for q := 1; q <= 100; q++ {
		n := quantiser(q)
		if n < 2 || n > 31 || n > last {
			t.Errorf("quality %d is -q:v %d after %d", q, n, last)
		}
		last = n
	}
	for q, want := range map[int]int{0: 5, 1: 31, 50: 17, 80: 7, 90: 3, 100: 2} {
		if got := quantiser(q); got != want {
			t.Errorf("quality %d is -q:v %d, want %d", q, got, want)
		}
	}
}

// A real H.264 stream over RTSP, with a password that must be escaped.
func TestFFmpegRTSP(t *testing.T) {
	c := newRTSPCamera(t, 10)
	cameratest.LeaksSoon(t)
	url := "ffmpeg:rtsp://viewer:ge%20heim@" + c.addr + "/stream1"
	if p := open(t, url, camera.Options{}).Profile(); p.FirstFrame != 30*time.Second {
		t.Errorf("profile %+v", p)
	}
	for _, f := range cameratest.Take(t, open(t, url, camera.Options{}), camera.Mode{Width: 160, Height: 120, FPS: 10}, 5) {
		if d := cameratest.Decode(t, f.JPEG).Rect.Size(); d.X != 160 || d.Y != 120 {
			t.Errorf("picture of %v", d)
		}
	}
	for source, m := range map[string]camera.Mode{url + "#keyframes=on": {FPS: 10}, url + "#transport=tcp": {FPS: keyframesBelow}} {
		before := c.frames.Load()
		cameratest.Take(t, open(t, source, camera.Options{}), m, 3)
		// Between three key frames are twenty others.
		if n := c.frames.Load() - before; n < 20 {
			t.Errorf("%s at %v: 3 pictures out of %d: these were not key frames only", source, m.FPS, n)
		}
	}
}

func TestFFmpegRTSPErrors(t *testing.T) {
	c := newRTSPCamera(t, 10)
	closed := cameratest.Refusing(t)
	for source, want := range map[string]struct {
		code camera.Code
		text string
	}{
		"ffmpeg:rtsp://viewer:falsch%40heim@" + c.addr + "/stream1": {camera.Config, "401 Unauthorized"},
		"ffmpeg:rtsp://" + c.addr + "/stream1":                      {camera.Config, "another user or password"},
		"ffmpeg:rtsp://viewer:ge%20heim@" + c.addr + "/x":           {camera.Config, "404 Not Found: the camera has nothing at this path"},
		"ffmpeg:rtsp://viewer:ge%20heim@" + closed + "/stream1":     {camera.NoCamera, "Connection refused: nothing listens at this address and port"},
		"ffmpeg:http://viewer:geheim@" + closed + "/stream1":        {camera.NoCamera, "Connection refused"},
		"ffmpeg:rtsp://viewer:geheim@no.such.name.invalid/stream1":  {camera.NoCamera, "the name of the camera's machine is not known"},
	} {
		e, _ := cameratest.Fails(t, open(t, source, camera.Options{}), camera.Mode{})
		if e.Code != want.code || !strings.Contains(e.Text, want.text) {
			t.Errorf("%s: %s: %q, want %s with %q", source, e.Code, e.Text, want.code, want.text)
		}
		if strings.Contains(e.Text, "heim") {
			t.Errorf("%s tells the password: %q", source, e.Text)
		}
	}
}

func TestFFmpegFileErrors(t *testing.T) {
	cameratest.Need(t, "ffmpeg")
	dir := t.TempDir()
	cameratest.Write(t, filepath.Join(dir, "text.mp4"), []byte("no film"))
	for path, want := range map[string]string{
		filepath.Join(dir, "none.mp4"): "No such file or directory",
		filepath.Join(dir, "text.mp4"): "Invalid data found",
		dir:                            "Is a directory",
	} {
		if e, _ := cameratest.Fails(t, open(t, "ffmpeg:"+path, camera.Options{}), camera.Mode{}); e.Code != camera.Config || !strings.Contains(e.Text, want) {
			t.Errorf("%s: %s: %q, want config with %q", path, e.Code, e.Text, want)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if e, _ := cameratest.Fails(t, open(t, "ffmpeg:/x.mp4", camera.Options{}), camera.Mode{}); e.Code != camera.Config || !strings.Contains(e.Text, "sudo apt install ffmpeg") {
		t.Errorf("without ffmpeg %s: %q", e.Code, e.Text)
	}
}

func TestFFmpegOptionErrors(t *testing.T) {
	for source, want := range map[string]string{
		"ffmpeg:":                                  "nothing to read: want such as ffmpeg:rtsp://host/path or ffmpeg:/path/clip.mp4",
		"ffmpeg:#keyframes=on":                     "nothing to read",
		"ffmpeg:gopher://h/x":                      `unknown protocol "gopher": want one of rtsp, rtsps, http,`,
		"ffmpeg:concat:/a|/b":                      "",
		"ffmpeg:rtsp:///stream":                    "not a URL",
		"ffmpeg:rtsp://u:ge/heim@h/":               "source ffmpeg:rtsp://***: not a URL",
		"ffmpeg:/dev/video0":                       "want v4l2:/dev/video0",
		"ffmpeg:rtsp://h/s#keyframes=maybe":        `keyframes "maybe": want one of on, off, auto`,
		"ffmpeg:rtsp://h/s#transport=carrier":      `transport "carrier": want one of tcp, udp, udp_multicast, http`,
		"ffmpeg:http://h/s#transport=udp":          `transport is for rtsp`,
		"ffmpeg:rtsp://h/s#speed=2":                `unknown option behind the #: want keyframes or transport`,
		"ffmpeg:rtsp://u:geheim@h/s#u:geheim@":     `unknown option`,
		"ffmpeg:/x.mp4#keyframes=on&keyframes=off": `keyframes is given twice`,
	} {
		_, err := openSource(source, camera.Options{})
		if want == "" {
			if err != nil || open(t, source, camera.Options{}).(*camera.FrameValidator).Source.(*ffmpegSource).input != "file:concat:/a|/b" {
				t.Errorf("Open(%q) = %v, want a file of this name", source, err)
			}
			continue
		}
		if camera.CodeOf(err) != camera.Config || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "heim") {
			t.Errorf("Open(%q) = %v, want config with %q", source, err, want)
		}
	}
}

func TestFFmpegArguments(t *testing.T) {
	current := ffmpegRelease{major: 7}
	const head, rtsp = "-nostdin -hide_banner -loglevel error ", "-fflags nobuffer -flags low_delay -analyzeduration 1000000 -fpsprobesize 0 -rtsp_transport tcp -timeout 10000000 -allowed_media_types video "
	const pass, tail = " -fps_mode passthrough", " -enc_time_base 1:90000 -c:v mjpeg -q:v 5 -pix_fmt yuvj420p -flags:v +bitexact -flush_packets 1 -f mpjpeg -"
	for _, c := range []struct {
		source string
		mode   camera.Mode
		want   string
	}{
		{"ffmpeg:rtsp://h/s?a=b&c=#", camera.Mode{}, head + rtsp + "-i rtsp://h/s?a=b&c= -map 0:v:0" + pass + tail},
		{"ffmpeg:rtsp://h/s", camera.Mode{FPS: 5}, head + rtsp + "-i rtsp://h/s -map 0:v:0 -vf select=isnan(prev_selected_t)+gt(floor(t*5+0.01)\\,floor(prev_selected_t*5+0.01))+lt(t\\,prev_selected_t)" + pass + tail},
		{"ffmpeg:rtsp://h/s", camera.Mode{FPS: 0.5}, head + "-skip_frame nokey " + rtsp + "-i rtsp://h/s -map 0:v:0" + pass + tail},
		{"ffmpeg:rtsp://h/s#keyframes=off", camera.Mode{FPS: 0.25}, head + rtsp + "-i rtsp://h/s -map 0:v:0 -vf select=isnan(prev_selected_t)+gt(floor(t*0.25+0.01)\\,floor(prev_selected_t*0.25+0.01))+lt(t\\,prev_selected_t)" + pass + tail},
		{"ffmpeg:RTSPS://h/s#keyframes=on&transport=udp", camera.Mode{FPS: 5}, head + "-skip_frame nokey " + strings.Replace(rtsp, "tcp", "udp", 1) + "-i RTSPS://h/s -map 0:v:0" + pass + tail},
		{"ffmpeg:/c#1.mp4", camera.Mode{FPS: 0.1}, head + "-re -stream_loop -1 -i file:/c#1.mp4 -map 0:v:0 -vf select=isnan(prev_selected_t)+gt(floor(t*0.1+0.01)\\,floor(prev_selected_t*0.1+0.01))+lt(t\\,prev_selected_t)" + pass + tail},
		{"ffmpeg:rtsp://h/s#keyframes=on", camera.Mode{}, head + rtsp + "-i rtsp://h/s -map 0:v:0" + pass + tail},
		{"ffmpeg:file:///c.mp4#keyframes=on", camera.Mode{FPS: 5}, head + "-skip_frame nokey -re -stream_loop -1 -i file:///c.mp4 -map 0:v:0" + pass + tail},
		{"ffmpeg:http://h/s", camera.Mode{}, head + "-fflags nobuffer -flags low_delay -rw_timeout 10000000 -i http://h/s -map 0:v:0" + pass + tail},
		{"ffmpeg:-i", camera.Mode{}, head + "-re -stream_loop -1 -i file:-i -map 0:v:0" + pass + tail},
	} {
		s := open(t, c.source, camera.Options{}).(*camera.FrameValidator).Source.(*ffmpegSource)
		if got := strings.Join(s.arguments(current, c.mode), " "); got != c.want {
			t.Errorf("%s %+v:\n%s\nwant\n%s", c.source, c.mode, got, c.want)
		}
	}
}

// The version is asked for once, and decides what options are called.
func TestFFmpegVersions(t *testing.T) {
	for said, want := range map[string][2]string{
		"ffmpeg version 4.1.11-0+deb10u1 Copyright\nlibavformat    58. 20.100 / 58. 20.100":  {"-stimeout", "-vsync 0"},
		"ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright\nlibavformat    58. 76.100":         {"-stimeout", "-vsync 0"},
		"ffmpeg version 5.0.1 Copyright\nlibavformat    59. 16.100 / 59. 16.100":             {"-timeout", "-vsync 0"},
		"ffmpeg version 5.1.9-0+deb12u1 Copyright\nlibavformat    59. 27.100 / 59. 27.100":   {"-timeout", "-fps_mode passthrough"},
		"ffmpeg version 7.1.1-1 Copyright\nlibavformat    61.  7.100 / 61.  7.100":           {"-timeout", "-fps_mode passthrough"},
		"ffmpeg version N-113684-gd3c0e6f Copyright\nlibavformat    60. 21.100 / 60. 21.100": {"-timeout", "-fps_mode passthrough"},
		"ffmpeg version N-90000-gd3c0e6f Copyright\nlibavformat    58.  9.100 / 58.  9.100":  {"-stimeout", "-vsync 0"},
		"ffmpeg version n6.0 Copyright":              {"-timeout", "-fps_mode passthrough"},
		"ffmpeg version 4.3.8 Copyright":             {"-stimeout", "-vsync 0"},
		"ffmpeg version git-2020-08-31-4a11a6f some": {"-timeout", "-fps_mode passthrough"},
	} {
		dir := t.TempDir()
		pic, notes := filepath.Join(dir, "pic.jpg"), filepath.Join(dir, "notes")
		cameratest.Write(t, pic, cameratest.Drawn(t, 1))
		t.Setenv("PATH", cameratest.FakeTool(t, "ffmpeg", `echo "$*" >> `+notes+`
if [ "$1" = -version ]; then echo "`+said+`"; exit; fi
/bin/cat `+pic+`; exec /bin/sleep 100`))
		s := open(t, "ffmpeg:rtsp://h/s#keyframes=on", camera.Options{})
		cameratest.Take(t, s, camera.Mode{}, 1)
		cameratest.Take(t, s, camera.Mode{}, 1)
		b, err := os.ReadFile(notes)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		if len(lines) != 3 || lines[0] != "-version" {
			t.Errorf("%.30s: ran %q, want one question and two streams", said, lines)
		}
		for _, w := range want {
			if !strings.Contains(lines[len(lines)-1], " "+w+" ") {
				t.Errorf("%.30s: %s is not among %s", said, w, lines[len(lines)-1])
			}
		}
	}
}

// A program that answers nothing is not waited for without end when asked to stop.
func TestAskStops(t *testing.T) {
	cameratest.Leaks(t)
	t.Setenv("PATH", cameratest.FakeTool(t, "ffmpeg", "exec /bin/sleep 1000"))
	if err := cameratest.StopAfter(t, open(t, "ffmpeg:/x.mp4", camera.Options{}), func(int) bool { return true }); err != nil {
		t.Errorf("Stream = %v, want nil", err)
	}
}

func FuzzFFmpegVersion(f *testing.F) {
	f.Add("ffmpeg version 5.1.9-0+deb12u1 Copyright\nlibavformat    59. 27.100 / 59. 27.100")
	f.Add("ffmpeg version N-1-g0\n")
	f.Fuzz(func(t *testing.T, said string) {
		r := parseFFmpegVersion(said)
		if r.major < 0 || r.format < 0 || r.rtspTimeout() == "" || len(r.passthrough()) != 2 {
			t.Errorf("%q: %+v", said, r)
		}
	})
}
