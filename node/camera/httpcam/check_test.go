package httpcam

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
)

// TestHTTPStreamOfBoards is a board that sends whole pictures, halves with an
// end put to them and pieces, each with its length.
func TestHTTPStreamOfBoards(t *testing.T) {
	whole := [][]byte{cameratest.Drawn(t, 1), cameratest.Drawn(t, 2), cameratest.Drawn(t, 3)}
	parts := [][]byte{whole[0], cameratest.Half(whole[0]), whole[1], whole[0][:len(whole[0])/3], cameratest.Huge(t), whole[2]}
	srv := cameratest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace;boundary="+boundaryOfBoards)
		for _, p := range parts {
			fmt.Fprintf(w, "--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(p), p)
		}
	})
	for check, want := range map[string][][]byte{camera.CheckAuto: whole, camera.CheckMarkers: {whole[0], parts[1], whole[1], whole[2]}} {
		s := open(t, srv.URL+"/stream#discard=0", camera.Options{Check: check})
		var got [][]byte
		_ = s.Stream(t.Context(), camera.Mode{}, func(f camera.Frame) { got = append(got, f.JPEG) }) // ends with the answer
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: got %d pictures, want the %d whole ones", check, len(got), len(want))
		}
		if n, why := s.(*camera.FrameValidator).Broken(); n != uint64(len(parts)-len(want)) {
			t.Errorf("%s: %d dropped (%s), want %d", check, n, why, len(parts)-len(want))
		}
	}
}

// boundaryOfBoards is in the streams of most firmwares of ESP32 boards.
const boundaryOfBoards = "123456789000000000000987654321"

// TestHTTPCheck looks at all data of pictures from boards, and of single pictures.
func TestHTTPCheck(t *testing.T) {
	s, err := openURL("http://x/stream", camera.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.NeedsFullCheck(camera.Mode{FPS: 10}) || !s.NeedsFullCheck(camera.Mode{Still: true}) || !s.NeedsFullCheck(camera.Mode{FPS: 1}) {
		t.Error("a camera that is not known is looked at closely only for single pictures")
	}
	s.know(func(f *facts) { f.kind = board.Easytarget })
	if !s.NeedsFullCheck(camera.Mode{FPS: 10}) {
		t.Error("a board is not looked at closely")
	}
}
