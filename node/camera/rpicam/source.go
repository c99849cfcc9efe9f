// Package rpicam is the kind of cameras on the connector of a Raspberry Pi.
package rpicam

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/mjpeg"
	"camqtt/node/camera/subprocess"
)

// rpicam is a camera on the connector of a Raspberry Pi, driven through the
// programs that come with it: "rpicam:" for the first, "rpicam:1", or
// "rpicam:/base/...imx219@10" by its id, which stays when another is added; behind
// a question mark options by name. It streams, or with stills=on takes pictures
// of the sensor's full size one by one.
type rpicam struct {
	mjpeg.StatusReport
	rpicamOptions
	turns bool // the camera turns the picture as configured
	max   int
	grace time.Duration

	// searching is held while the cameras are listed, which takes a moment.
	searching sync.Mutex
	asked     bool // Profile has listed them, successfully or not

	mu    sync.Mutex // over what is below, never for long
	known bool       // cam is what was listed
	again bool       // it must be listed again: its number may be another's
	cam   csiCamera
}

// rpicamFPS is the rate when none is requested, in pictures per second;
// stillsFPS that of stills, which is also the highest they are asked for: each
// stops and restarts the sensor. rpicamQuality is that of a stream when nobody
// asks: the program's own is 50, at which faces and number plates go to pieces.
const (
	rpicamFPS     = 10
	stillsFPS     = 1
	rpicamQuality = 80
)

// Kind is the row of the table of kinds.
func Kind() camera.Kind {
	return camera.Kind{
		Scheme: "rpicam", Form: "rpicam:",
		Summary: "the camera of a Raspberry Pi",
		Bare:    true, Options: optionNames(), Separator: "?", Timeout: 15 * time.Second,
		Check: camera.CheckMarkers, Settle: camera.SettleTime, Open: openRpicam,
	}
}

func openRpicam(rest string, o camera.Options) (camera.Source, error) {
	parsed, err := parseRpicam(rest)
	if err != nil {
		return nil, err
	}
	if parsed.settle < 0 {
		parsed.settle = max(o.Settle, 0)
	}
	s := &rpicam{rpicamOptions: parsed, max: o.MaxPicture, grace: o.StopGrace}
	s.turns = s.turn(o.Rotate)
	return s, nil
}

// SettleTime is what settle= says, or the configuration beside it. The exposure of
// stills has settled before the first is taken.
func (s *rpicam) SettleTime() time.Duration {
	if s.stills {
		return 0
	}
	return s.settle
}

// Profile lists the cameras the first time it is asked, so that what the camera
// is and can do is known before a picture is wanted.
func (s *rpicam) Profile() camera.Profile {
	if s.searching.TryLock() {
		if !s.asked {
			s.asked = true
			if tool, err := rpicamTool("vid"); err == nil {
				_, _ = s.search(context.Background(), tool) // a Stream will say why
			}
		}
		s.searching.Unlock()
	}
	p := camera.Profile{Kind: "rpicam", Make: "Raspberry Pi", Caps: []string{camera.CapSize, camera.CapFPS, camera.CapQuality}, Prompted: s.stills}
	if s.turns {
		p.Caps = append(p.Caps, camera.CapRotate)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known {
		p.Model, p.Sizes, p.MaxFPS = s.cam.model, slices.Clone(s.cam.offers), s.cam.maxFPS
	}
	if s.stills {
		p.MaxFPS = stillsFPS
	}
	return p
}

// search lists the cameras and picks ours.
func (s *rpicam) search(ctx context.Context, tool string) (csiCamera, error) {
	all, err := listCSI(ctx, tool)
	if err != nil {
		return csiCamera{}, err
	}
	i := slices.IndexFunc(all, func(c csiCamera) bool {
		return s.where == "" || s.where == c.id || s.where == c.number
	})
	if i < 0 {
		name := strings.TrimSpace("rpicam:" + redact.Line(s.where))
		return csiCamera{}, &camera.Error{Code: camera.NoCamera, Text: "no camera " + name + ": " + listedCSI(all)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cam, s.known, s.again = all[i], true, false
	return all[i], nil
}

// number is that of the camera today, "" for the first. Only an id has to be
// looked up; where listing fails, the program itself will say what is wrong.
func (s *rpicam) number(ctx context.Context, tool string) (string, error) {
	s.mu.Lock()
	known, cam := s.known && !s.again, s.cam
	s.mu.Unlock()
	if !known {
		s.searching.Lock()
		defer s.searching.Unlock()
		var err error
		if cam, err = s.search(ctx, tool); err != nil && strings.HasPrefix(s.where, "/") {
			return "", err
		}
	}
	if strings.HasPrefix(s.where, "/") {
		return cam.number, nil
	}
	return s.where, nil
}

// Stream runs the program. After any failure the cameras are listed anew: one
// may have been added or taken away.
func (s *rpicam) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	if err := m.Check(); err != nil {
		return err
	}
	kind := "vid"
	if s.stills {
		kind = "still"
	}
	tool, err := rpicamTool(kind)
	if err != nil {
		return err
	}
	number, err := s.number(ctx, tool)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		g := subprocess.Program{Report: &s.StatusReport, Max: s.max, Grace: s.grace, Argv: append([]string{tool}, s.arguments(number, m)...)}
		if s.stills {
			newStills(s.rpicamOptions, m).drives(&g)
		} else {
			// What a frame shows was exposed up to one interval before it was read.
			g.Every = camera.Interval(streamRate(m))
			g.At = func(first time.Time) time.Time { return first.Add(-camera.Interval(streamRate(m))) }
		}
		err = g.Run(ctx, emit)
	}
	if err != nil {
		s.mu.Lock()
		s.again = true
		s.mu.Unlock()
	}
	return err
}

func streamRate(m camera.Mode) float64 {
	if m.FPS > 0 {
		return m.FPS
	}
	return rpicamFPS
}

// arguments are the arguments for a camera and a mode.
func (s *rpicam) arguments(camera string, m camera.Mode) []string {
	var a []string
	if s.stills {
		// "-o -" would leave the end of each picture in the program's buffer until
		// the next; a file is closed after each, and this one is our pipe.
		a = []string{"-n", "-t", "0", "--signal", "--thumb", "none", "-o", "/dev/stdout"}
		if s.zsl {
			a = append(a, "--zsl")
		}
	} else {
		m.Quality = cmp.Or(m.Quality, rpicamQuality)
		// Without --flush the end of each picture waits for the next one.
		a = []string{"-n", "-t", "0", "--codec", "mjpeg", "--flush", "-o", "-", "--framerate", strconv.FormatFloat(streamRate(m), 'f', -1, 64)}
	}
	if m.Width > 0 {
		a = append(a, "--width", strconv.Itoa(m.Width), "--height", strconv.Itoa(m.Height))
	}
	if m.Quality > 0 {
		a = append(a, "--quality", strconv.Itoa(m.Quality))
	}
	if camera != "" {
		a = append(a, "--camera", camera)
	}
	if s.hflip {
		a = append(a, "--hflip")
	}
	if s.vflip {
		a = append(a, "--vflip")
	}
	return append(a, s.args...)
}
