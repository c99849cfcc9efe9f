package httpcam

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
)

// A snap while a board's buffers are full of old pictures gives one that was
// exposed after it, with every number of buffers, also after the board has
// restarted, and At never promises more than is true.
func TestBoardFresh(t *testing.T) {
	for buffers := 1; buffers <= 4; buffers++ {
		t.Run(fmt.Sprint(buffers), func(t *testing.T) {
			withESP(t, board.CameraWebServer, func(b *espBoard) { b.buffers = buffers }, func(t *testing.T, b *espBoard) {
				s := b.open("http://esp32/capture")
				total := 0
				for i := range 40 {
					switch {
					case i == 10:
						time.Sleep(20 * time.Minute)
					case i == 20:
						b.restart()
					case i == 30:
						time.Sleep(26 * time.Hour)
					case i%2 == 0:
						time.Sleep(time.Duration(i) * time.Second)
					}
					asked := time.Now()
					b.log()
					f := cameratest.Take(t, s, camera.Mode{FPS: 10}, 1)[0]
					n := len(b.log())
					total += n
					if f.At.Before(asked) || b.taken(f.JPEG).Before(f.At) {
						t.Errorf("snap %d: asked for at %v, taken %v later; At says %v", i, asked, b.taken(f.JPEG).Sub(asked), f.At.Sub(asked))
					}
					if n > board.MaxDepth+2 {
						t.Errorf("snap %d took %d requests", i, n)
					}
				}
				if most := 40*(buffers+1) + 8*board.MaxDepth; total > most {
					t.Errorf("40 snaps took %d requests, want at most %d", total, most)
				}
			})
		})
	}
}

// Without a time in the pictures, discard= says how many to throw away.
func TestBoardDiscard(t *testing.T) {
	withESP(t, board.Easytarget, func(b *espBoard) { b.buffers = 3 }, func(t *testing.T, b *espBoard) {
		for discard, fresh := range map[int]bool{0: false, 1: false, 2: false, 3: true} {
			s := b.open(fmt.Sprintf("http://esp32/capture#discard=%d", discard))
			time.Sleep(time.Minute)
			b.log()
			asked := time.Now()
			f := cameratest.Take(t, s, camera.Mode{FPS: 10}, 1)[0]
			if n := len(slices.DeleteFunc(b.log(), func(l string) bool { return l == "80 /status" })); n != discard+1 {
				t.Errorf("discard=%d: %d requests", discard, n)
			}
			if f.At.Before(asked) || b.taken(f.JPEG).Before(asked) == fresh {
				t.Errorf("discard=%d: taken %v after it was asked for", discard, b.taken(f.JPEG).Sub(asked))
			}
		}
	})
}
