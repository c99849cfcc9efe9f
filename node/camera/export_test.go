package camera

import (
	"net/http"
	"testing"
	"time"

	"camqtt/node/camera/board"
)

// ESP is a simulated ESP32 camera for tests of whole nodes.
type ESP struct{ *espBoard }

// NewESP is a CameraWebServer with so many frame buffers, at http://esp32/ for its
// client. With zero, its stream has times in whole seconds, as current builds do.
func NewESP(t testing.TB, buffers int, zero bool) ESP {
	b := newESP(t, board.CameraWebServer)
	b.buffers, b.zeroFrac = buffers, zero
	b.restart()
	return ESP{b}
}

// Client reaches the board.
func (e ESP) Client() *http.Client { return e.client() }

// Taken is when the board took a picture.
func (e ESP) Taken(jpg []byte) time.Time { return e.taken(jpg) }

// Restart cuts the board's power for a moment.
func (e ESP) Restart() { e.restart() }

// Watching is how many hold its stream.
func (e ESP) Watching() int { return e.watching() }
