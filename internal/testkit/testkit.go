// Package testkit holds what tests share: a log, pictures, a camera that fails
// on demand, real brokers and a real browser. Nothing but tests imports it.
package testkit

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"math/rand"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Log returns a logger that writes to the test's log.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Tool returns the path of a program, or ends the test: with a failure where
// CI=true, for there everything must be tested, else as skipped.
func Tool(t testing.TB, name string) string {
	t.Helper()
	for _, n := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(n); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed: run make setup", name)
	}
	t.Skipf("%s is not installed: run make setup", name)
	return ""
}

// Patience is how long tests wait for what must happen. It is more than a busy machine
// needs, and less than the minute after which servers give up for other reasons.
const Patience = 50 * time.Second

// Until polls for a condition that comes true by itself, and fails the test
// when it has not within [Patience].
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", Patience, what)
		}
	}
}

// JPEG returns a picture of a size whose bytes depend on seed; noise makes it
// larger, from 0 (flat) to 255.
func JPEG(t testing.TB, width, height int, seed int64, noise int) []byte {
	t.Helper()
	rng := rand.New(rand.NewSource(seed))
	img := image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			v := (x + y + int(seed)*8) % 256
			if noise > 0 {
				v = (v + rng.Intn(noise)) % 256
			}
			img.SetGray(x, y, color.Gray{Y: uint8(v)})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
