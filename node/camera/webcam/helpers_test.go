package webcam

import (
	"camqtt/node/camera"
)

func openSource(source string, o camera.Options) (camera.Source, error) {
	return camera.Open(source, o, Kind())
}
