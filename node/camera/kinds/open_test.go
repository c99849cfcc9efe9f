package kinds

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"camqtt/node/camera"
)

func TestOpen(t *testing.T) {
	tests := map[string]struct {
		kind    string
		caps    []string
		instant bool
	}{
		"test:":                                 {"test", []string{"size", "fps", "quality"}, true},
		"TEST:320x240?fps=2.5&hue=0&label=a":    {"test", []string{"size", "fps", "quality"}, true},
		"dir:/no/such/folder":                   {"dir", []string{"fps"}, true},
		"exec:ffmpeg -i x -":                    {"exec", nil, false},
		"exec:cam -s {width}x{height:480}":      {"exec", []string{"size"}, false},
		"exec:cam {fps:2.5} {quality} {width}":  {"exec", []string{"fps", "quality"}, false},
		"exec:cam --rotation {rotate}":          {"exec", []string{"rotate"}, false},
		"push":                                  {"push", nil, true},
		"push:?every=10m&publish=always":        {"push", nil, true},
		"rpicam:?hflip":                         {"rpicam", []string{"size", "fps", "quality", "rotate"}, false},
		"rpicam":                                {"rpicam", []string{"size", "fps", "quality", "rotate"}, false},
		"ffmpeg:rtsp://u:p@cam.example/s":       {"ffmpeg", []string{"size", "fps", "quality"}, false},
		"http://cam.example:81/stream":          {"http", []string{"fps"}, false},
		"https://u:p@cam.example/cap#discard=2": {"http", []string{"fps"}, false},
		"HTTP://[::1]:8080/":                    {"http", []string{"fps", "quality", "size", "still"}, false},
		"http://esp32/#kind=tasmota":            {"http", []string{"fps", "still"}, true},
		"http://esp32#kind=CameraWebServer":     {"http", []string{"fps", "quality", "size", "still"}, true},
		"http://esp32/#kind=generic":            {"http", []string{"fps"}, false},
	}
	for source, want := range tests {
		s, err := openSource(source, camera.Options{})
		if err != nil {
			t.Errorf("Open(%q): %v", source, err)
			continue
		}
		p := s.Profile()
		if p.Kind != want.kind || !slices.Equal(p.Caps, want.caps) || p.Instant != want.instant {
			t.Errorf("Open(%q) has profile %+v, want %+v", source, p, want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for source, want := range map[string]string{
		"":                                  `source "": no scheme: want test:640x480, dir:/path, exec:program arguments, http://host/path, https://host/path, v4l2:/dev/video0, rpicam:, ffmpeg:rtsp://host/path, push or mqtt:topic`,
		"porch":                             `no scheme: want test:`,
		"rtsp://u:geheim@h/1":               `source "rtsp://h/***": unknown scheme "rtsp": want test:640x480, dir:/path, exec:program arguments, http://host/path, `,
		"test:640":                          `size "640": want width x height in pixels, like 640x480`,
		"test:8x8":                          `size 8x8: a test picture has 16 to 4096 pixels a side`,
		"test:?fps=0":                       `fps "0": want a number above 0 and up to 60`,
		"test:?fps=NaN":                     `fps "NaN"`,
		"test:?quality=101":                 `quality "101": want 1 to 100`,
		"test:?hue=360":                     `hue "360": want 0 to 359`,
		"test:?lable=x":                     `unknown key "lable": want size, fps, quality, hue or label`,
		"test:64x64?size=32x32":             `size is given twice`,
		"test:?%zz":                         `invalid URL escape`,
		"dir:":                              `no folder given: want dir:/path/to/folder`,
		"exec:":                             `no program given`,
		"exec:''":                           `no program given`,
		"exec:cam 'x":                       `a quote or bracket without its partner`,
		"exec:cam -p x | tee x":             `there is no shell to obey them`,
		"exec:ffmpeg -i http://h/?a=1&b=2":  `there is no shell to obey them`,
		"exec:cam {width:wide}":             `{width:wide}: want a number above 0 after the colon`,
		"exec:cam --password geheim (":      `exec:cam ***: a quote or bracket`,
		"http:///stream":                    `no host: want http://host/path`,
		"http:stream":                       `no host`,
		"http://u:geheim@ho st/":            `source http://***: not a URL`,
		"https://u:ge/heim@host/x":          `source https://***: not a URL`,
		"push:porch":                        `"porch": nothing stands there`,
		"push:?every=0.5s":                  `every "0.5s": want 1s to 24h`,
		"push:?every=25h":                   `want 1s to 24h`,
		"push:?publish=never":               `publish "never": want asked or always`,
		"push:?evry=1m":                     `unknown key "evry": want every or publish`,
		"push:?every=1m&every=2m":           `every is given twice`,
		"push:?%zz":                         `invalid URL escape`,
		"exec:cam \x1b[31mred\x1b[0m\x00 |": `source exec:cam ***: ; & |`,
		"http://u:***@host/":                `*** stands for something secret that was hidden`,
		"http://host/#x":                    `an option without = behind the #: want kind=, discard=, pin=, ca=, tls= or timeout=`,
		"http://u:geheim@host/#discrad=2":   `unknown option behind the #: want kind=, discard=, pin=, ca=, tls= or timeout=`,
		"http://host/#discard=11":           `option discard="11": want 0 to 10 pictures`,
		"http://host/#discard=1&discard=2":  `discard is given twice`,
		"http://host/#kind=esp":             `option kind="esp": want one of camerawebserver, easytarget, esphome, tasmota, generic`,
		"https://host/#pin=sha256:abcd":     `option pin="sha256:abcd": want sha256: and the digest`,
		"https://host/#ca=/no/such.pem":     `option ca=: open /no/such.pem`,
		"http://host/#ca=open_test.go":      `option ca=open_test.go: has no certificate in it: want PEM`,
		"http://host/#pin=sha256:" + strings.Repeat("a1", 32): `options pin=, ca= and tls= are for https://: a camera that redirects`,
	} {
		_, err := openSource(source, camera.Options{})
		if camera.CodeOf(err) != camera.Config || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) = %v (%q), want config with %q", source, err, camera.CodeOf(err), want)
		}
		if err != nil && strings.Contains(err.Error(), "heim") {
			t.Errorf("Open(%q) tells the password: %v", source, err)
		}
	}
	if _, err := openSource("test:", camera.Options{Rotate: "45"}); camera.CodeOf(err) != camera.Config || !strings.Contains(err.Error(), `rotate "45": want 0, 90,`) {
		t.Errorf("rotate 45: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, s := range []string{"test:640x480?fps=1", "dir:x", "exec:a 'b' {fps:1}", "http://a:b@c/d", "https://x", "http:x", "https://h/#pin=sha256:AA%2B+/=&ca=/x", "http://h:0#kind=esphome&discard=1", "x:", "test:fps\xe7", "test:?\x1b[1m=%zz", "rpicam:/b@1?ev=1", "ffmpeg:rtsp://a:b@c/d#keyframes=on"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		s, err := openSource(source, camera.Options{})
		if (s == nil) == (err == nil) {
			t.Fatalf("Open = %v, %v", s, err)
		}
		if err != nil && (camera.CodeOf(err) != camera.Config || !utf8.ValidString(err.Error())) {
			t.Fatalf("Open: %q, code %q", err, camera.CodeOf(err))
		}
	})
}

// What no source can obey, no source takes.
func TestModeOutOfRange(t *testing.T) {
	for _, source := range []string{"test:", "dir:" + t.TempDir(), "exec:true", "rpicam:", "ffmpeg:/x", "http://127.0.0.1:1/"} {
		s := open(t, source, camera.Options{})
		for _, m := range []camera.Mode{
			{Width: 640}, {Height: -1, Width: -1}, {Width: 70000, Height: 10}, {FPS: -1}, {FPS: math.NaN()}, {FPS: math.Inf(1)}, {FPS: 1000}, {Quality: 101}, {Quality: -1},
		} {
			if err := s.Stream(t.Context(), m, func(camera.Frame) { t.Errorf("%s: a picture for %+v", source, m) }); camera.CodeOf(err) != camera.Config {
				t.Errorf("%s: Stream with %+v = %v, want config", source, m, err)
			}
		}
	}
}

func open(t testing.TB, source string, o camera.Options) camera.Source {
	t.Helper()
	s, err := openSource(source, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openSource(source string, o camera.Options) (camera.Source, error) { return Open(source, o) }
