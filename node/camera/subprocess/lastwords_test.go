package subprocess

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
)

// What a program has written is read even if its time ended before it was read here: on a
// busy machine restGrace is short.
func TestExecLastWords(t *testing.T) {
	pic := filepath.Join(t.TempDir(), "pic.jpg")
	cameratest.Write(t, pic, cameratest.Drawn(t, 1))
	p, err := start([]string{"sh", "-c", "cat " + pic + "; echo sorry >&2; exit 3"})
	if err != nil {
		t.Fatal(err)
	}
	<-p.exited
	for _, o := range []struct {
		from *output
		want string
	}{{p.stdout, string(cameratest.Drawn(t, 1))}, {p.stderr, "sorry\n"}} {
		if err := o.from.file.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		if _, err := io.Copy(&got, o.from); got.String() != o.want || err != nil {
			t.Errorf("read %d bytes, %v, want the %d that were written", got.Len(), err, len(o.want))
		}
		o.from.Close()
	}
}

// Who has left the program's group and writes on is not listened to for ever.
func TestExecLastWordsOfOthers(t *testing.T) {
	ours, theirs, err := newOutput()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends when the pipe is closed
		defer close(ended)
		for err := error(nil); err == nil; _, err = theirs.Write(make([]byte, 1000)) {
		}
	}()
	if err := ours.file.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(ours)
	if len(got) > pipeRoom || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v, want at most what a pipe holds, and the deadline", len(got), err)
	}
	ours.Close()
	<-ended
	theirs.Close()
}

func TestTail(t *testing.T) {
	var s tail
	for i := range 1000 {
		fmt.Fprintf(&s, "line %d\n", i)
	}
	if got := s.String(); len(got) > tailSize || len(got) < tailSize-10 || !strings.HasSuffix(got, "line 999\n") {
		t.Errorf("remembered %d bytes that end in %q", len(got), got[max(0, len(got)-20):])
	}
	if got := s.lastLine(); got != "line 999" {
		t.Errorf("last line %q", got)
	}
	s = tail{}
	fmt.Fprintf(&s, "http://u:%s", strings.Repeat("x", 3*tailSize))
	if got := s.String(); got != "" {
		t.Errorf("piece of a word remembered: %.20q", got)
	}
}
