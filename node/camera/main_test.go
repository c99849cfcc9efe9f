package camera

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// TestMain makes the programs that tests start hear SIGINT. A shell that runs the
// tests in the background has it ignored, and programs inherit that; those that
// camqtt starts do not, because it handles SIGINT itself.
func TestMain(m *testing.M) {
	if signal.Ignored(syscall.SIGINT) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGINT)
	}
	os.Exit(m.Run())
}
