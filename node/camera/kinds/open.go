// Package kinds has the table of all kinds of cameras and opens their sources.
package kinds

import (
	"fmt"
	"strings"

	"camqtt/node/camera"
	"camqtt/node/camera/command"
	"camqtt/node/camera/folder"
	"camqtt/node/camera/httpcam"
	"camqtt/node/camera/mqttcam"
	"camqtt/node/camera/push"
	"camqtt/node/camera/rpicam"
	"camqtt/node/camera/testcard"
	"camqtt/node/camera/webcam"
)

// All returns the kinds in the order in which they are told to people.
func All() []camera.Kind {
	return []camera.Kind{
		testcard.Kind(),
		folder.Kind(),
		command.Exec(),
		httpcam.HTTP(),
		httpcam.HTTPS(),
		webcam.Kind(),
		rpicam.Kind(),
		command.FFmpeg(),
		push.Kind(),
		mqttcam.Kind(),
	}
}

// Open makes the source that is written "scheme:rest", of any kind. See [camera.Open].
func Open(source string, o camera.Options) (camera.Source, error) {
	return camera.Open(source, o, All()...)
}

// Help lists how sources are written, one kind a line.
func Help() string {
	var text strings.Builder
	for _, k := range All() {
		fmt.Fprintf(&text, "  %-24s %s\n", k.Form, k.Summary)
	}
	return text.String()
}

// Want says how sources are written, for an error.
func Want() string { return camera.Want(All()) }

// Find returns the kind with a scheme.
func Find(scheme string) (camera.Kind, bool) {
	for _, k := range All() {
		if strings.EqualFold(k.Scheme, scheme) {
			return k, true
		}
	}
	return camera.Kind{}, false
}
