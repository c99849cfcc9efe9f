package camera

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

func TestPushProfile(t *testing.T) {
	for source, want := range map[string]Profile{
		"push":                           {FirstFrame: time.Minute},
		"push:?every=2s":                 {FirstFrame: 15 * time.Second, Every: 2 * time.Second},
		"push:?every=10m&publish=always": {FirstFrame: 15 * time.Minute, Every: 10 * time.Minute, Deliberate: true},
		"push:?publish=asked":            {FirstFrame: time.Minute},
	} {
		s, err := Open(source, Options{})
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
	in, picture := new(Inbox), drawn(t, 1)
	s, err := Open("push", Options{Inbox: in})
	if err != nil {
		t.Fatal(err)
	}
	if in.Deliver(Frame{}) {
		t.Error("a picture is taken though nobody streams")
	}
	for range 2 { // it can be opened again
		ctx, stop := context.WithCancel(t.Context())
		got, done := make(chan Frame, 1), make(chan error, 1)
		go func() { done <- s.Stream(ctx, Mode{}, func(f Frame) { got <- f }) }() // ends with stop
		at := time.Now()
		for end := at.Add(patience); !in.Deliver(Frame{JPEG: picture, At: at}); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the picture is never taken")
			}
		}
		if f := <-got; !bytes.Equal(f.JPEG, picture) || !f.At.Equal(at) {
			t.Errorf("got %d bytes of %v, want %d of %v", len(f.JPEG), f.At, len(picture), at)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if in.Deliver(Frame{}) {
			t.Error("a picture is taken after the stream")
		}
	}
}

func TestPushWithoutPort(t *testing.T) {
	s, err := Open("push", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stream(t.Context(), Mode{}, func(Frame) {}); CodeOf(err) != Config || !strings.Contains(err.Error(), "push.listen") {
		t.Errorf("without a port: %v", err)
	}
}
