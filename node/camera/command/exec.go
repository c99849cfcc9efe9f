// Package command is the kinds of cameras that are programs: exec, any program that writes JPEG, and
// ffmpeg.
package command

import (
	"context"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/mattn/go-shellwords"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/mjpeg"
	"camqtt/node/camera/subprocess"
)

// placeholder is "{width}" or "{width:640}" in an argument.
var placeholder = regexp.MustCompile(`\{(width|height|fps|quality|rotate)(?::([^{}]*))?\}`)

// execSource is a program that writes pictures to its standard output, bare or
// as multipart: "exec:program arguments". {width} {height} {fps} {quality} and
// {rotate} in an argument stand for what is asked; {width:1280} says what to put
// there when nothing is. No shell has a part in it.
type execSource struct {
	mjpeg.StatusReport
	argv   []string
	caps   []string
	rotate string
	max    int
	grace  time.Duration
	redact redact.Redactor
}

// Exec is the row of the table of kinds.
func Exec() camera.Kind {
	return camera.Kind{
		Scheme: "exec", Form: "exec:program arguments",
		Summary:   "a program that writes JPEG",
		Separator: " #", Timeout: 15 * time.Second,
		Check: camera.CheckMarkers, Open: openExec,
	}
}

func openExec(rest string, o camera.Options) (camera.Source, error) {
	show := redact.Line(redact.Source("exec:" + rest))
	p := shellwords.NewParser()
	p.ParseEnv, p.ParseBacktick, p.ParseComment = false, false, false
	argv, err := p.Parse(rest)
	switch {
	case err != nil:
		return nil, camera.ConfigError("source %s: a quote or bracket without its partner, or a bracket outside quotes", show)
	case p.Position >= 0:
		return nil, camera.ConfigError("source %s: ; & | < > outside quotes: there is no shell to obey them; quote them, or give exec:sh -c '...'", show)
	case len(argv) == 0 || argv[0] == "":
		return nil, camera.ConfigError("source %s: no program given: want exec:program arguments", show)
	}
	s := &execSource{argv: argv, rotate: o.Rotate, max: o.MaxPicture, grace: o.StopGrace, redact: redact.New("exec:" + rest)}
	seen := map[string]bool{}
	for _, a := range argv[1:] {
		for _, m := range placeholder.FindAllStringSubmatch(a, -1) {
			seen[m[1]] = true
			if m[2] != "" && m[1] != "rotate" {
				if v, err := strconv.ParseFloat(m[2], 64); err != nil || !(v > 0) {
					return nil, camera.ConfigError("source %s: %s: want a number above 0 after the colon", show, m[0])
				}
			}
		}
	}
	for _, c := range []struct {
		name string
		has  bool
	}{
		{camera.CapSize, seen["width"] && seen["height"]},
		{camera.CapFPS, seen["fps"]},
		{camera.CapQuality, seen["quality"]},
		{camera.CapRotate, seen["rotate"]},
	} {
		if c.has {
			s.caps = append(s.caps, c.name)
		}
	}
	return s, nil
}

// Profile says what the placeholders in the command let be asked for.
func (s *execSource) Profile() camera.Profile {
	return camera.Profile{Kind: "exec", Model: filepath.Base(s.argv[0]), Caps: s.caps}
}

// Stream runs the program. The program ending is an error, whatever its exit
// status, because a camera does not end.
func (s *execSource) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	if err := m.Check(); err != nil {
		return err
	}
	return subprocess.Program{Argv: s.command(m), Max: s.max, Redact: s.redact, Grace: s.grace, Report: &s.StatusReport}.Run(ctx, emit)
}

// command is the command with the placeholders filled in.
func (s *execSource) command(m camera.Mode) []string {
	asked := map[string]string{}
	number := func(name string, v float64) {
		if v > 0 {
			asked[name] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	number("width", float64(m.Width))
	number("height", float64(m.Height))
	number("fps", m.FPS)
	number("quality", float64(m.Quality))
	if s.rotate != "" {
		asked["rotate"] = s.rotate
	}
	usual := map[string]string{"width": "640", "height": "480", "fps": "10", "quality": "80", "rotate": "0"}
	argv := []string{s.argv[0]}
	for _, a := range s.argv[1:] {
		argv = append(argv, placeholder.ReplaceAllStringFunc(a, func(p string) string {
			part := placeholder.FindStringSubmatch(p)
			for _, v := range []string{asked[part[1]], part[2]} {
				if v != "" {
					return v
				}
			}
			return usual[part[1]]
		}))
	}
	return argv
}
