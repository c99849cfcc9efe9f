package command

import (
	"regexp"
	"strconv"
)

// ffmpegRelease is what of ffmpeg's version makes a difference here.
type ffmpegRelease struct {
	major, minor int // of the release; 0, 0 when it says none
	format       int // major of libavformat, which also unreleased builds say; 0: not said
	formatMinor  int
}

var (
	ffmpegVersion = regexp.MustCompile(`(?m)^ffmpeg version n?(\d{1,3})\.(\d{1,3})`)
	formatVersion = regexp.MustCompile(`(?m)^libavformat +(\d{1,4})\. *(\d{1,4})\.`)
)

// parseFFmpegVersion reads what ffmpeg -version says, such as "ffmpeg version
// 5.1.9-0+deb12u1" or "ffmpeg version N-113684-gd3c0e..." and, further down,
// "libavformat    59. 27.100".
func parseFFmpegVersion(said string) ffmpegRelease {
	var r ffmpegRelease
	if m := ffmpegVersion.FindStringSubmatch(said); m != nil {
		r.major, _ = strconv.Atoi(m[1]) // digits, by the pattern
		r.minor, _ = strconv.Atoi(m[2])
	}
	if m := formatVersion.FindStringSubmatch(said); m != nil {
		r.format, _ = strconv.Atoi(m[1])
		r.formatMinor, _ = strconv.Atoi(m[2])
	}
	return r
}

// atLeast says whether this is a release or newer. libavformat is believed first;
// what says nothing of either is taken for new.
func (r ffmpegRelease) atLeast(release, format [2]int) bool {
	switch {
	case r.format > 0:
		return r.format > format[0] || r.format == format[0] && r.formatMinor >= format[1]
	case r.major > 0:
		return r.major > release[0] || r.major == release[0] && r.minor >= release[1]
	}
	return true
}

// rtspTimeout is the option for how long a silent RTSP server is waited for, in
// microseconds. Up to 4.x -timeout meant to listen for a camera that connects;
// from 5.0 on -stimeout is unknown.
func (r ffmpegRelease) rtspTimeout() string {
	if r.atLeast([2]int{5, 0}, [2]int{59, 16}) {
		return "-timeout"
	}
	return "-stimeout"
}

// passthrough are the options that make ffmpeg neither repeat nor drop pictures:
// -vsync has another name since 5.1, and will go.
func (r ffmpegRelease) passthrough() []string {
	if r.atLeast([2]int{5, 1}, [2]int{59, 27}) {
		return []string{"-fps_mode", "passthrough"}
	}
	return []string{"-vsync", "0"}
}
