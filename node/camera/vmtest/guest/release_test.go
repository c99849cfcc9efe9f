//go:build vmguest

package guest

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"camqtt/node/camera/webcam/v4l2"
)

// TestVividRelease: a copy of the descriptor, which a child process that is being
// started has for a moment, does not keep the camera busy.
func TestVividRelease(t *testing.T) {
	path := vivid(t)
	d := openDevice(t, path)
	prepare(t, d, v4l2.YUYV)
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(links, func(l string) bool {
		to, err := os.Readlink(l)
		return err == nil && to == path
	})
	if i < 0 {
		t.Fatalf("no descriptor of %s among %d", path, len(links))
	}
	n, err := strconv.Atoi(filepath.Base(links[i]))
	if err != nil {
		t.Fatal(err)
	}
	held, err := unix.Dup(n)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(held)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	next := openDevice(t, path)
	prepare(t, next, v4l2.YUYV)
	if err := next.Next(time.Now().Add(patience), func(v4l2.Buffer) {}); err != nil {
		t.Error(err)
	}
}

// TestVividOften: signals, which Go sends to its own threads all the time, make
// neither the set-up nor the waiting deaf.
func TestVividOften(t *testing.T) {
	path := vivid(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { // ends when done is closed
			for {
				select {
				case <-done:
					return
				default:
					runtime.GC()
				}
			}
		})
	}
	defer wg.Wait()
	defer close(done)
	for i := range 40 {
		d := openDevice(t, path)
		if _, err := d.SetFormat(v4l2.YUYV, v4l2.Size{Width: 640, Height: 360}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.SetRate(60); err != nil {
			t.Fatal(err)
		}
		if err := d.Start(4); err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			if err := d.Next(time.Now().Add(patience), func(v4l2.Buffer) {}); err != nil {
				t.Errorf("stream %d, picture %d: %v", i, n, err)
				break
			}
		}
		d.Close()
	}
}
