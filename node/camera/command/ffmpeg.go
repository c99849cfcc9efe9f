package command

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/mjpeg"
	"camqtt/node/camera/sourceurl"
	"camqtt/node/camera/subprocess"
)

// ffmpegSource is anything that ffmpeg reads: "ffmpeg:rtsp://user:password@host/path",
// another URL, or a file, which is played for ever at its own speed. Options
// follow a "#", which no camera ever gets to see: keyframes=on|off|auto and
// transport=tcp|udp|udp_multicast|http.
type ffmpegSource struct {
	mjpeg.StatusReport
	input     string // URL or path, as ffmpeg takes it
	scheme    string // of the URL; "" for a file
	keyframes string
	transport string
	max       int
	redact    redact.Redactor

	mu      sync.Mutex // held while ffmpeg is asked for its version
	release *ffmpegRelease
}

const (
	// keyframesBelow is the rate, in pictures per second, at and below which only
	// key frames are decoded unless keyframes= says otherwise: cameras send one
	// every one to four seconds, and the frames between them are most of the work.
	keyframesBelow = 0.5
	// networkFirst is how long a stream from the network may take to begin: cameras
	// take seconds to answer, and then the first key frame has to come.
	networkFirst = 30 * time.Second
	// networkSilence is after how long without a byte ffmpeg gives up.
	networkSilence = 10 * time.Second
)

// ffmpegSchemes are the protocols that make sense for a camera.
func ffmpegSchemes() []string {
	return []string{"rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "rtp", "srt", "udp", "tcp", "file"}
}

// FFmpeg is the row of the table of kinds.
func FFmpeg() camera.Kind {
	return camera.Kind{
		Scheme: "ffmpeg", Form: "ffmpeg:rtsp://host/path",
		Summary: "RTSP, a film, and everything else that ffmpeg reads",
		Options: []string{"keyframes", "transport"}, Separator: "#", Timeout: networkFirst,
		Check: camera.CheckMarkers, Login: true, Open: openFFmpeg,
	}
}

func openFFmpeg(rest string, o camera.Options) (camera.Source, error) {
	s := &ffmpegSource{keyframes: "auto", transport: "tcp", max: o.MaxPicture, redact: redact.New("ffmpeg:"+rest, o.Password)}
	show := redact.Line(redact.Source("ffmpeg:" + rest))
	var options string
	s.input, options = cutFragment(rest)
	if scheme, _, isURL := strings.Cut(s.input, "://"); isURL {
		s.scheme = strings.ToLower(scheme)
		if !slices.Contains(ffmpegSchemes(), s.scheme) {
			return nil, camera.ConfigError("source %s: unknown protocol %q: want one of %s, or the path of a file", show, redact.Line(s.scheme), strings.Join(ffmpegSchemes(), ", "))
		}
		u, err := sourceurl.ParseAddress(s.input)
		if err != nil || u.Host == "" && s.scheme != "file" {
			return nil, camera.ConfigError("source %s: not a URL: want such as ffmpeg:rtsp://user:password@host/path; %s", show, sourceurl.PasswordForms)
		}
		switch {
		case u.User != nil && o.User != "":
			return nil, camera.ConfigError("source %s: a user in the address as well as in user: want one of them", show)
		case o.User != "":
			u.User = url.UserPassword(o.User, o.Password)
		}
		if u.User != nil {
			s.input = u.String()
		}
	}
	switch {
	case strings.TrimSpace(s.input) == "":
		return nil, camera.ConfigError("source %s: nothing to read: want such as ffmpeg:rtsp://host/path or ffmpeg:/path/clip.mp4", show)
	case strings.ContainsRune(s.input, 0):
		return nil, camera.ConfigError("source %s: a zero byte in it", show)
	case strings.HasPrefix(s.input, "/dev/video"):
		return nil, camera.ConfigError("source %s: want v4l2:%s for a camera of this machine", show, redact.Line(s.input))
	case s.scheme == "":
		s.input = "file:" + s.input // whatever else ffmpeg could take it for
	case s.scheme == "file":
		s.scheme = ""
	}
	if err := sourceurl.EachOption(options, s.option); err != nil {
		return nil, camera.ConfigError("source %s: %s", show, s.redact.Line(err.Error()))
	}
	return s, nil
}

// cutFragment parts a URL or path from the options behind its last "#". A file
// may have a "#" in its name if what follows looks like no option.
func cutFragment(s string) (input, options string) {
	i := strings.LastIndexByte(s, '#')
	if i < 0 {
		return s, ""
	}
	_, rest, isURL := strings.Cut(s[:i], "://")
	if !isURL && !strings.Contains(s[i:], "=") || isURL && !strings.Contains(rest, "/") && strings.Contains(s[i:], "@") {
		return s, "" // it belongs to the name of the file, or to the password
	}
	return s[:i], s[i+1:]
}

// option takes one option; it returns its key.
func (s *ffmpegSource) option(given sourceurl.Option) (string, error) {
	key, value := given.Key, given.Value
	for _, o := range []struct {
		name  string
		words []string
		to    *string
	}{
		{"keyframes", []string{"on", "off", "auto"}, &s.keyframes},
		{"transport", []string{"tcp", "udp", "udp_multicast", "http"}, &s.transport},
	} {
		switch {
		case key != o.name:
			continue
		case !slices.Contains(o.words, value):
			return key, fmt.Errorf("%s %q: want one of %s", key, redact.Line(value), strings.Join(o.words, ", "))
		case key == "transport" && !s.isRTSP():
			return key, errors.New("transport is for rtsp:// and rtsps://")
		}
		*o.to = value
		return key, nil
	}
	// It may be the end of a password that has a # in it.
	return key, errors.New("unknown option behind the #: want keyframes or transport, and %23 for a # in an address")
}

func (s *ffmpegSource) isRTSP() bool { return s.scheme == "rtsp" || s.scheme == "rtsps" }

// Profile says what can be asked for: ffmpeg scales, thins and encodes.
func (s *ffmpegSource) Profile() camera.Profile {
	p := camera.Profile{Kind: "ffmpeg", Model: "ffmpeg", Caps: []string{camera.CapSize, camera.CapFPS, camera.CapQuality}}
	if s.scheme != "" {
		p.FirstFrame = networkFirst
		p.Model = strings.ToUpper(s.scheme) + " camera"
	}
	return p
}

// Stream runs ffmpeg.
func (s *ffmpegSource) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	if err := m.Check(); err != nil {
		return err
	}
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		return &camera.Error{Code: camera.Config, Text: "ffmpeg is not in the PATH of this service: install it (sudo apt install ffmpeg)", Err: err}
	}
	r, err := s.ask(ctx, path)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	err = subprocess.Program{Argv: append([]string{path}, s.arguments(r, m)...), Max: s.max, Redact: s.redact, Report: &s.StatusReport}.Run(ctx, emit)
	if e, ok := err.(*camera.Error); ok && s.scheme == "" && e.Code == camera.NoCamera {
		// A file does not heal by itself.
		for _, words := range []string{"No such file", "Permission denied", "Is a directory", "Invalid data found", "matches no streams"} {
			if strings.Contains(e.Text, words) {
				e.Code = camera.Config
			}
		}
	}
	return err
}

// ask finds out which ffmpeg it is, the first time.
func (s *ffmpegSource) ask(ctx context.Context, path string) (ffmpegRelease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.release == nil {
		said, err := subprocess.Output(ctx, path, "-version")
		if err != nil {
			return ffmpegRelease{}, err
		}
		r := parseFFmpegVersion(said)
		s.release = &r
	}
	return *s.release, nil
}

// arguments are what ffmpeg is told. No shell has a part in it.
func (s *ffmpegSource) arguments(r ffmpegRelease, m camera.Mode) []string {
	a := []string{"-nostdin", "-hide_banner", "-loglevel", "error"}
	// A decoder that skips holds back a key frame until the next one. A snap needs the first
	// key frame only, which decoding begins with anyway: so only streams skip.
	keys := m.FPS > 0 && (s.keyframes == "on" || s.keyframes == "auto" && s.scheme != "" && m.FPS <= keyframesBelow)
	if keys {
		a = append(a, "-skip_frame", "nokey")
	}
	silence := strconv.FormatInt(networkSilence.Microseconds(), 10)
	switch {
	case s.scheme == "":
		a = append(a, "-re", "-stream_loop", "-1")
	case s.isRTSP():
		// Without a limit ffmpeg studies the stream for seconds before it says anything.
		a = append(a, "-fflags", "nobuffer", "-flags", "low_delay", "-analyzeduration", "1000000", "-fpsprobesize", "0",
			"-rtsp_transport", s.transport, r.rtspTimeout(), silence, "-allowed_media_types", "video")
	case s.scheme == "http" || s.scheme == "https":
		a = append(a, "-fflags", "nobuffer", "-flags", "low_delay", "-rw_timeout", silence)
	default:
		a = append(a, "-fflags", "nobuffer", "-flags", "low_delay")
	}
	a = append(a, "-i", s.input, "-map", "0:v:0")
	var filters []string
	if m.FPS > 0 && !keys {
		filters = append(filters, thin(m.FPS))
	}
	if m.Width > 0 {
		filters = append(filters, fitInto(m.Width, m.Height))
	}
	if filters != nil {
		a = append(a, "-vf", strings.Join(filters, ","))
	}
	// Gaps are not filled with copies, and the encoder's clock is fine enough for
	// two pictures never to have the same time, which it refuses.
	a = append(append(a, r.passthrough()...), "-enc_time_base", "1:90000")
	return append(a, "-c:v", "mjpeg", "-q:v", strconv.Itoa(quantiser(m.Quality)), "-pix_fmt", "yuvj420p",
		"-flags:v", "+bitexact", "-flush_packets", "1", "-f", "mpjpeg", "-")
}

// thin is a filter that lets the first picture through of each so many parts of
// a second, and what comes after a jump back in time. The filter "fps" would hold
// each picture until the next has come: live ones would be late and snaps stale.
func thin(fps float64) string {
	f := strconv.FormatFloat(fps, 'f', -1, 64)
	return fmt.Sprintf(`select=isnan(prev_selected_t)+gt(floor(t*%s+0.01)\,floor(prev_selected_t*%s+0.01))+lt(t\,prev_selected_t)`, f, f)
}

// fitInto is a filter that makes a picture small enough for a size, never
// larger, and keeps its shape. The encoder wants even sides. The arithmetic is
// spelt out because force_divisible_by came with ffmpeg 4.4.
func fitInto(width, height int) string {
	factor := fmt.Sprintf(`min(1\,min(%d/iw\,%d/ih))`, width, height)
	return fmt.Sprintf("scale=w=max(2\\,2*trunc(iw*%s/2+0.001)):h=max(2\\,2*trunc(ih*%s/2+0.001))", factor, factor)
}

// quantiser is ffmpeg's -q:v, 2 (good) to 31 (small), for a JPEG quality of 1 to
// 100; 0 is 5. Quality sets a percentage by which the standard's table is
// multiplied (5000/q below 50, 200-2q from there); ffmpeg's table, for which -q:v
// 8 is 100 %, has about half the standard's values in the middle, so 17 there is
// 100 % here.
func quantiser(quality int) int {
	if quality == 0 {
		return 5
	}
	percent := 200 - 2*float64(quality)
	if quality < 50 {
		percent = 5000 / float64(quality)
	}
	return min(31, max(2, int(math.Round(17*percent/100))))
}
