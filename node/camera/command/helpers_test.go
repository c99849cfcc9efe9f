package command

import (
	"os"
	"testing"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

func TestMain(m *testing.M) {
	cameratest.HearInterrupts()
	os.Exit(m.Run())
}

func open(t testing.TB, source string, o camera.Options) camera.Source {
	t.Helper()
	return cameratest.Open(t, source, o, Exec(), FFmpeg())
}

func openSource(source string, o camera.Options) (camera.Source, error) {
	return camera.Open(source, o, Exec(), FFmpeg())
}
