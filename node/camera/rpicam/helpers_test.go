package rpicam

import (
	"os"
	"testing"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
	"camqtt/node/camera/command"
)

func TestMain(m *testing.M) {
	cameratest.HearInterrupts()
	os.Exit(m.Run())
}

func open(t testing.TB, source string, o camera.Options) camera.Source {
	t.Helper()
	return cameratest.Open(t, source, o, Kind(), command.Exec())
}

func openSource(source string, o camera.Options) (camera.Source, error) {
	return camera.Open(source, o, Kind(), command.Exec())
}
