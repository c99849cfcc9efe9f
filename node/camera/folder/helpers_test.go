package folder

import (
	"testing"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

func open(t testing.TB, source string, o camera.Options) camera.Source {
	t.Helper()
	return cameratest.Open(t, source, o, Kind())
}
