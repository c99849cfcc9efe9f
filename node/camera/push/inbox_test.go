package push

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera"
)

func TestPushProfile(t *testing.T) {
	for source, want := range map[string]camera.Profile{
		"push":                           {FirstFrame: time.Minute},
		"push:?every=2s":                 {FirstFrame: 15 * time.Second, Every: 2 * time.Second},
		"push:?every=10m&publish=always": {FirstFrame: 15 * time.Minute, Every: 10 * time.Minute, Deliberate: true},
		"push:?publish=asked":            {FirstFrame: time.Minute},
	} {
		s, err := openSource(source, camera.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := s.Profile()
		if !got.Unasked || got.FirstFrame != want.FirstFrame || got.Every != want.Every || got.Deliberate != want.Deliberate {
			t.Errorf("%s has profile %+v, want %+v and unasked", source, got, want)
		}
	}
}

func TestInbox(t *testing.T) {
	in, picture := NewInbox(), cameratest.Drawn(t, 1)
	s, err := openSource("push", camera.Options{Inbox: in})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Deliver(t.Context(), camera.Frame{}); !errors.Is(err, camera.ErrClosed) {
		t.Errorf("a picture before the stream: %v", err)
	}
	for range 2 { // it can be opened again
		ctx, stop := context.WithCancel(t.Context())
		got, done := make(chan camera.Frame, 1), make(chan error, 1)
		go func() { done <- s.Stream(ctx, camera.Mode{}, func(f camera.Frame) { got <- f; f.Report(nil) }) }() // ends with stop
		at := time.Now()
		for in.Deliver(t.Context(), camera.Frame{JPEG: picture, At: at}) != nil { // until Stream has begun
			runtime.Gosched()
		}
		if f := <-got; !bytes.Equal(f.JPEG, picture) || !f.At.Equal(at) {
			t.Errorf("got %d bytes of %v, want %d of %v", len(f.JPEG), f.At, len(picture), at)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := in.Deliver(t.Context(), camera.Frame{}); !errors.Is(err, camera.ErrClosed) {
			t.Errorf("a picture after the stream: %v", err)
		}
	}
}

// TestInboxAnswers waits for what becomes of a picture.
func TestInboxAnswers(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		in, picture := NewInbox(), cameratest.Drawn(t, 1)
		damaged := bytes.Clone(picture)
		copy(damaged[len(damaged)-12:], []byte{0xff, 0xd9})
		s, err := openSource("push", camera.Options{Inbox: in})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		verdicts := make(chan error, 1)
		go func() { // ends with stop
			done <- s.Stream(ctx, camera.Mode{}, func(f camera.Frame) {
				select {
				case v := <-verdicts:
					f.Report(v)
					f.Report(camera.ErrDamaged) // only the first counts
				default: // the receiver is stuck
				}
			})
		}()
		synctest.Wait()
		deliver := func(jpeg []byte) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return in.Deliver(ctx, camera.Frame{JPEG: bytes.Clone(jpeg)})
		}
		for _, want := range []error{nil, camera.ErrTooLarge, camera.ErrBusy} {
			verdicts <- want
			if err := deliver(picture); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		if err := deliver(damaged); !errors.Is(err, camera.ErrDamaged) {
			t.Errorf("a damaged picture: %v", err)
		}
		if err := deliver(picture); !errors.Is(err, camera.ErrBusy) {
			t.Errorf("without an answer in time: %v", err)
		}
		waiting := make(chan error, 1)
		go func() { waiting <- in.Deliver(t.Context(), camera.Frame{JPEG: picture}) }() // ends with the stream
		synctest.Wait()
		stop()
		if err := <-waiting; !errors.Is(err, camera.ErrClosed) {
			t.Errorf("the stream ends while a picture waits: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestPushWithoutPort(t *testing.T) {
	s, err := openSource("push", camera.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stream(t.Context(), camera.Mode{}, func(camera.Frame) {}); camera.CodeOf(err) != camera.Config || !strings.Contains(err.Error(), "push.listen") {
		t.Errorf("without a port: %v", err)
	}
}
