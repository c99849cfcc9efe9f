package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"camqtt/internal/config"
	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// detect runs the command on a machine that a test makes up.
func detect(t *testing.T, here func() ([]camera.Found, error), there map[string][]camera.Found, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	e := &env{
		Process: Process{Args: append([]string{"camqtt", "detect"}, args...), Stdout: &out, Stderr: &errs}, name: "camqtt",
		detect: func(context.Context) ([]camera.Found, error) { return here() },
		probe: func(_ context.Context, host string) ([]camera.Found, error) {
			if found, ok := there[host]; ok {
				return found, nil
			}
			return nil, fmt.Errorf("host %s: nothing answers", host)
		},
	}
	status = e.execute(t.Context())
	return out.String(), errs.String(), status
}

func none() ([]camera.Found, error) { return nil, nil }

func webcams() ([]camera.Found, error) {
	sizes := []camera.Size{{Width: 320, Height: 240}, {Width: 640, Height: 480}, {Width: 1280, Height: 720}, {Width: 1920, Height: 1080}}
	return []camera.Found{
		{Source: "v4l2:usb-0AB12", Name: "HD Pro Webcam C920", Device: "/dev/video0", Driver: "uvcvideo", Formats: []string{"MJPG", "YUYV"}, Sizes: sizes, MaxFPS: 30},
		{Source: "v4l2:usb-1-2", Name: "HD Pro Webcam C920", Device: "/dev/video2", Driver: "uvcvideo", Formats: []string{"YUYV"}, Sizes: sizes, MaxFPS: 4},
		{Source: "v4l2:/dev/video4", Name: "on: \"x\" # y\n- id: z", Formats: []string{"MJPG"}, Sizes: []camera.Size{{Width: 2592, Height: 1944}}},
		{Source: "rpicam:/base/soc/i2c0mux/i2c@1/imx219@10", Name: "imx219", Sizes: sizes},
		{Source: "rpicam:", Name: strings.Repeat("Größe ", 40)},
		{Source: "test:", Name: "off"},
	}, nil
}

// TestDetectLoads pastes what was printed into a configuration.
func TestDetectLoads(t *testing.T) {
	there := map[string][]camera.Found{
		"192.168.1.21": {
			{Source: "http://192.168.1.21/", Kind: "camerawebserver", Note: "whichever fits", Sizes: []camera.Size{{Width: 640, Height: 480}, {Width: 1280, Height: 720}}},
			{Source: "http://192.168.1.21/capture", Note: "single pictures only: \x1bx", Same: true},
		},
		"10.0.0.9":                   {{Source: "http://10.0.0.9:8080/"}, {Source: "http://10.0.0.9:8081/"}}, // two cameras
		"http://u:geheim@gate/x.cgi": {{Source: "http://u:***@gate/x.cgi", Name: "gate", Kind: "generic"}},
		"esp32.local":                {{Source: "http://esp32.local/"}},
	}
	out, errs, status := detect(t, webcams, there, "--host", "192.168.1.21", "--host", "10.0.0.9",
		"--host", "esp32.local", "--host", "http://u:geheim@gate/x.cgi", "--host", "gone")
	if status != 0 || !strings.HasSuffix(errs, "camqtt: host gone: nothing answers\n") || strings.Contains(out+errs, "geheim") {
		t.Errorf("exit %d, said %q", status, errs)
	}
	// Sources of other builds are not what is tested here.
	pasted := strings.ReplaceAll(out, "source: rpicam:/base", "source: dir:/base")
	pasted = strings.ReplaceAll(pasted, `source: "rpicam:"`, `source: "test:"`)
	pasted = strings.ReplaceAll(pasted, "u:***@", "u:geheim@") // as the comment says
	cfg, err := config.Load(config.Options{
		Sources: []string{"a.yaml", "b.yaml"},
		ReadFile: func(name string) ([]byte, error) {
			if name == "b.yaml" {
				return []byte("broker:\n"), nil
			}
			return []byte(pasted), nil
		},
		CheckSource: checkSource,
	})
	if err != nil {
		t.Fatalf("what was printed is no configuration: %v\n%s", err, out)
	}
	var got []string
	for _, c := range cfg.Cameras {
		got = append(got, fmt.Sprintf("%s|%s|%s|%s|%g", c.ID, c.Name, c.Source, c.Size, c.FPS))
	}
	want := []string{
		"hd-pro-webcam-c920|HD Pro Webcam C920|v4l2:usb-0AB12|1280x720|10",
		"hd-pro-webcam-c920-2|HD Pro Webcam C920|v4l2:usb-1-2|640x480|4",
		`on-x-y-id-z|on: "x" # y?- id: z|v4l2:/dev/video4|2592x1944|10`,
		"imx219|imx219|dir:/base/soc/i2c0mux/i2c@1/imx219@10|1280x720|10",
		"gr-e-gr-e-gr-e-gr-e-gr-e|" + strings.TrimSpace(strings.Repeat("Größe ", 10)) + "|test:||10",
		"off|off|test:||10",
		"cam-192-168-1-21|cam-192-168-1-21|http://192.168.1.21/|640x480|10",
		"cam-10-0-0-9|cam-10-0-0-9|http://10.0.0.9:8080/||10",
		"cam-10-0-0-9-2|cam-10-0-0-9-2|http://10.0.0.9:8081/||10",
		"esp32-local|esp32-local|http://esp32.local/||10",
		"gate|gate|http://u:geheim@gate/x.cgi||10",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("cameras\n%s\nwant\n%s\nfrom\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), out)
	}
	if n := strings.Count(out, "costs CPU"); n != 1 {
		t.Errorf("%d cameras are said to cost CPU, want 1:\n%s", n, out)
	}
	for _, say := range []string{
		"# Try one: camqtt node hd-pro-webcam-c920 --source v4l2:usb-0AB12\n", "  # now /dev/video0, driver uvcvideo\n", "  # formats: MJPG YUYV\n", "  # at 192.168.1.21\n", "  # whichever fits\n",
		"    # or source: http://192.168.1.21/capture # single pictures only: ?x\n", "  # at http://gate/***\n  # write the password or value in place of ***\n",
	} {
		if !strings.Contains(out, say) {
			t.Errorf("does not say %q:\n%s", say, out)
		}
	}
}

func TestDetectJSON(t *testing.T) {
	out, _, status := detect(t, webcams, nil, "--json")
	var got []struct {
		ID     wire.ID
		Source string
		Sizes  []string
		MaxFPS float64 `json:"max_fps"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != 0 || len(got) != 6 {
		t.Fatalf("exit %d, %v:\n%s", status, err, out)
	}
	if g := got[0]; g.ID != "hd-pro-webcam-c920" || g.Source != "v4l2:usb-0AB12" || len(g.Sizes) != 4 || g.MaxFPS != 30 {
		t.Errorf("first camera %+v", g)
	}
	if out, _, status = detect(t, none, nil, "--json"); status != 1 || out != "[]\n" {
		t.Errorf("without a camera: exit %d, printed %q", status, out)
	}
}

func TestDetectNothing(t *testing.T) {
	denied := func() ([]camera.Found, error) {
		return nil, errors.Join(&camera.Error{Code: camera.NoCamera, Text: "/dev/video0 may not be opened", Err: fs.ErrPermission},
			&camera.Error{Code: camera.NoCamera, Text: "/dev/video2 may not be opened", Err: fs.ErrPermission})
	}
	for name, c := range map[string]struct {
		here   func() ([]camera.Found, error)
		args   []string
		status int
		want   []string
	}{
		"none":     {none, nil, 1, []string{"no camera found on this machine\n", "plugged in", "group video", "rpicam-apps", "camqtt detect --host ADDRESS"}},
		"denied":   {denied, nil, 1, []string{"camqtt: /dev/video0 may not be opened\ncamqtt: /dev/video2 may not be opened\nTry: sudo usermod -aG video $USER", "no camera found"}},
		"no host":  {none, []string{"--host", "gone"}, 1, []string{"host gone: nothing answers", "no camera found on this machine or at gone"}},
		"a URL":    {none, []string{"--host", "rtsp://u:geheim@cam/"}, 2, []string{`host "rtsp://cam/": want a name or an address`}},
		"a user":   {none, []string{"--host", "u:geheim@cam"}, 2, []string{`host "cam": want a name or an address`}},
		"a word":   {none, []string{"x"}, 2, []string{"detect"}},
		"no value": {none, []string{"--host", ""}, 2, []string{"want a name or an address"}},
	} {
		out, errs, status := detect(t, c.here, nil, c.args...)
		if status != c.status || out != "" {
			t.Errorf("%s: exit %d, printed %q", name, status, out)
		}
		for _, want := range c.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%s: does not say %q:\n%s", name, want, errs)
			}
		}
	}
}

func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"a: b", "- x", "null", "0x10", "rpicam:", "#", "é\u2028", "a\x00b", "  ", "@x", "on"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := wire.ParseName(printable(s))
		if err != nil {
			return
		}
		cfg, err := config.Load(config.Options{Sources: []string{"a.yaml"}, ReadFile: func(string) ([]byte, error) {
			return []byte("broker:\ncameras:\n  - id: a\n    source: test\n    name: " + quoted(name) + "\n"), nil
		}})
		if err != nil || cfg.Cameras[0].Name != name {
			t.Errorf("%q written as %s: %v, %+v", name, quoted(name), err, cfg)
		}
		if s := slug(s); s != "" {
			if _, err := wire.ParseID(string(idFor(sighting{Name: s}, map[wire.ID]bool{}))); err != nil {
				t.Error(err)
			}
		}
	})
}
