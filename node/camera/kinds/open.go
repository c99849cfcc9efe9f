package kinds

import (
	"camqtt/node/camera"
	"camqtt/node/camera/command"
	"camqtt/node/camera/folder"
	"camqtt/node/camera/httpcam"
	"camqtt/node/camera/push"
	"camqtt/node/camera/rpicam"
	"camqtt/node/camera/testcard"
	"camqtt/node/camera/webcam"
)

// All returns the kinds in the order in which they are told to people.
func All() []camera.Kind {
	return []camera.Kind{
		testcard.Kind(),
		webcam.Kind(),
		rpicam.Kind(),
		command.FFmpeg(),
		folder.Kind(),
		command.Exec(),
		httpcam.HTTP(),
		httpcam.HTTPS(),
		push.Kind(),
	}
}

// Open makes the source that is written "scheme:rest", of any kind. See [camera.Open].
func Open(source string, o camera.Options) (camera.Source, error) {
	return camera.Open(source, o, All()...)
}
