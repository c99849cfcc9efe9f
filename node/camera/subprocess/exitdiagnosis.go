package subprocess

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"camqtt/node/camera"
)

// exitDiagnosis is what camera programs say when they fail, and what it means.
type exitDiagnosis struct {
	says []string // any of these, in lower case
	code camera.Code
	cure string // what to look at; "" where the program's own words are enough
}

// exitDiagnoses are in the order in which they are looked for: what is further up
// explains what is further down, because one trouble makes programs complain of
// several. The words are those of rpicam-apps, libcamera, ffmpeg, V4L2 tools and
// the Boost option parser.
func exitDiagnoses() []exitDiagnosis {
	return []exitDiagnosis{
		{[]string{"device or resource busy", "failed to acquire camera", "in use by another process", "already in use"}, camera.CameraBusy, ""},
		{[]string{"configured for the legacy camera stack"}, camera.Config, "turn the legacy camera off in raspi-config, under interface options, and restart"},
		{[]string{"only supports the raspberry pi platforms"}, camera.Config, "this machine has no camera connector that libcamera's programs know"},
		{
			[]string{"no cameras available", "selected camera is not available"},
			camera.NoCamera,
			"is the camera's cable in at both ends, the right way round, and has the machine been restarted since?",
		},
		{[]string{hangWords, "camera frontend has timed out"}, camera.Stalled, cableCure},
		{
			[]string{
				"unrecognized option", "unrecognised option", "unknown option", "invalid option", "option not found",
				"unrecognised codec", "error parsing options", "error splitting the argument list", "unknown encoder", "protocol not found",
			},
			camera.Config, "",
		},
		{[]string{"401 unauthorized", "403 forbidden"}, camera.Config, loginCure},
		{[]string{"404 not found", "404 stream not found"}, camera.Config, "the camera has nothing at this path"},
		{[]string{"connection refused"}, camera.NoCamera, "nothing listens at this address and port"},
		{
			[]string{"no route to host", "network is unreachable", "connection timed out", "operation timed out"},
			camera.NoCamera,
			"nothing answers at this address",
		},
		{[]string{"failed to resolve hostname", "name or service not known", "name resolution"}, camera.NoCamera, "the name of the camera's machine is not known"},
		{[]string{"invalid data found when processing input"}, camera.NoCamera, "there comes nothing, or nothing that ffmpeg can read as video"},
	}
}

const (
	loginCure = "the camera wants another user or password"
	// hangWords begin what rpicam-apps say, once a second and for ever, when the
	// sensor has stopped.
	hangWords = "device timeout detected"
	cableCure = "the sensor delivers nothing: check that the camera's cable is attached securely at both ends, or try another cable"
)

// thrown is the text of an exception in rpicam-apps.
var thrown = regexp.MustCompile(`error: \*\*\* (.*?) \*\*\*`)

// diagnose tells from what a program has said why it has failed.
func diagnose(said string) exitDiagnosis {
	said = strings.ToLower(said)
	for _, s := range exitDiagnoses() {
		if slices.ContainsFunc(s.says, func(words string) bool { return strings.Contains(said, words) }) {
			return s
		}
	}
	if all := thrown.FindAllStringSubmatch(said, -1); all != nil {
		last := all[len(all)-1][1]
		for _, words := range []string{"invalid", "illegal", "unrecognised", "option", "packing indicator", "requiring transpose"} {
			if strings.Contains(last, words) {
				return exitDiagnosis{code: camera.Config}
			}
		}
	}
	return exitDiagnosis{code: camera.NoCamera}
}

// hangWatch is a writer that notices hangWords in what is written, wherever it
// is cut into pieces.
type hangWatch struct {
	seen chan struct{} // holds one when the words have come since it was last read
	end  []byte        // of what was written: the beginning of the words, perhaps
}

func newHangWatch() *hangWatch { return &hangWatch{seen: make(chan struct{}, 1)} }

// Write never fails.
func (h *hangWatch) Write(p []byte) (int, error) {
	text := bytes.ToLower(append(h.end, p...))
	if bytes.Contains(text, []byte(hangWords)) {
		select {
		case h.seen <- struct{}{}:
		default: // it holds one already
		}
		text = nil
	}
	h.end = bytes.Clone(text[max(0, len(text)-len(hangWords)+1):])
	return len(p), nil
}
