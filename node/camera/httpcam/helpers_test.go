package httpcam

import (
	"testing"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

func open(t testing.TB, source string, o camera.Options) camera.Source {
	t.Helper()
	return cameratest.Open(t, source, o, HTTP(), HTTPS())
}

func openSource(source string, o camera.Options) (camera.Source, error) {
	return camera.Open(source, o, HTTP(), HTTPS())
}
