package subprocess

import (
	"os"
	"testing"

	"camqtt/internal/testkit/cameratest"
)

func TestMain(m *testing.M) {
	cameratest.HearInterrupts()
	os.Exit(m.Run())
}
