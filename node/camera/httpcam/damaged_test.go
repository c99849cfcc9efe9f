package httpcam

import (
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
)

// A snap at a board that sends one half picture takes one more request and no pause.
func TestBoardHalf(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"with an end": cameratest.Half,
		"cut":         func(b []byte) []byte { return b[:len(b)/2] },
	} {
		for _, m := range []camera.Mode{{FPS: 10, Still: true}, {FPS: 0.1}} {
			withESP(t, board.CameraWebServer, func(b *espBoard) { b.buffers = 1 }, func(t *testing.T, b *espBoard) {
				s := b.open("http://esp32/capture")
				took := func() (d time.Duration, requests int) {
					time.Sleep(time.Minute) // its buffer grows old
					b.log()
					start := time.Now()
					cameratest.Take(t, s, m, 1)
					return time.Since(start), len(b.log())
				}
				took() // finds out how many old pictures there can be
				usual, n := took()
				b.set(func() {
					sent := 0
					b.spoil = func(jpg []byte) []byte {
						if sent++; sent == n { // those before are from before the snap, and thrown away
							return spoil(jpg)
						}
						return jpg
					}
				})
				if d, more := took(); d != usual+b.grab || more != n+1 {
					t.Errorf("%s, %+v: %v and %d requests, want %v and %d", name, m, d, more, usual+b.grab, n+1)
				}
			})
		}
	}
}
