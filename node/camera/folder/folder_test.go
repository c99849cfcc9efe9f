package folder

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera"
)

// A folder is shown by name, round and round; what is no whole JPEG is said once
// in a round, and files may come and go between rounds.
func TestDir(t *testing.T) {
	folder := t.TempDir()
	a, b, c := cameratest.Drawn(t, 1), cameratest.Drawn(t, 2), cameratest.Drawn(t, 3)
	cameratest.Write(t, filepath.Join(folder, "10.jpg"), a)
	cameratest.Write(t, filepath.Join(folder, "20.JPEG"), append(slices.Clone(b), "something behind it"...))
	cameratest.Write(t, filepath.Join(folder, "15.jpg"), a[:len(a)-5])
	cameratest.Write(t, filepath.Join(folder, "17.jpg"), []byte("text"))
	cameratest.Write(t, filepath.Join(folder, "18.txt"), a)
	if err := syscall.Mkfifo(filepath.Join(folder, "19.jpg"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := open(t, "dir:"+folder, camera.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	faketime.Run(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer cancel()
		var got [][]byte
		err := s.Stream(ctx, camera.Mode{}, func(f camera.Frame) {
			if at := time.Duration(len(got)) * time.Second; f.At.Sub(start) != at {
				t.Errorf("picture %d came after %v, want %v", len(got), f.At.Sub(start), at)
			}
			if got = append(got, f.JPEG); len(got) == 4 {
				cameratest.Write(t, filepath.Join(folder, "05.jpg"), c)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := [][]byte{a, b, a, b, c}; !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("got %d pictures in another order than by name", len(got))
		}
	})
	for name, want := range map[string]int{"15.jpg": 2, "17.jpg": 2, "19.jpg": 2, "18.txt": 0, "10.jpg": 0} {
		if n := strings.Count(log.String(), name); n != want {
			t.Errorf("%s is in the log %d times after two rounds, want %d", name, n, want)
		}
	}
}

func TestDirErrors(t *testing.T) {
	folder := t.TempDir()
	bad := t.TempDir()
	cameratest.Write(t, filepath.Join(bad, "a.jpg"), []byte("no picture"))
	large := t.TempDir()
	cameratest.Write(t, filepath.Join(large, "a.jpg"), cameratest.Drawn(t, 1))
	for source, want := range map[string]struct {
		code camera.Code
		text string
	}{
		folder:                        {camera.NoCamera, "has no .jpg or .jpeg files"},
		bad:                           {camera.NoCamera, "none of its .jpg and .jpeg files is a whole JPEG"},
		large:                         {camera.NoCamera, "none of its"},
		filepath.Join(folder, "none"): {camera.Config, "none does not exist"},
		filepath.Join(bad, "a.jpg"):   {camera.Config, "cannot be read: not a directory"},
	} {
		e, got := cameratest.Fails(t, open(t, "dir:"+source, camera.Options{MaxPicture: 100}), camera.Mode{FPS: 100})
		if e.Code != want.code || !strings.Contains(e.Text, want.text) || len(got) > 0 {
			t.Errorf("%s: %q (%s) after %d pictures, want %s with %q", source, e.Text, e.Code, len(got), want.code, want.text)
		}
	}
}

// A folder that goes away while it is shown ends the stream with the reason. It may come
// back, as a mounted disk does.
func TestDirGoesAway(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "x")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	cameratest.Write(t, filepath.Join(folder, "a.jpg"), cameratest.Drawn(t, 1))
	err := open(t, "dir:"+folder, camera.Options{}).Stream(t.Context(), camera.Mode{FPS: 100}, func(camera.Frame) { os.RemoveAll(folder) })
	if camera.CodeOf(err) != camera.NoCamera || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("Stream = %v", err)
	}
}
