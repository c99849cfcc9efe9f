package journal_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"camqtt/internal/journal"
)

func TestLinesHaveTheirPriority(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(journal.New(&b, func(w io.Writer) slog.Handler {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: journal.WithoutTime})
	}))
	log.Debug("a")
	log.With("x", 1).Info("b", "time", "mine")
	log.WithGroup("g").Warn("c", "time", "mine")
	log.Error("d\ne")
	want := "<7>level=DEBUG msg=a\n<6>level=INFO msg=b x=1 time=mine\n<4>level=WARN msg=c g.time=mine\n<3>level=ERROR msg=\"d\\ne\"\n"
	if b.String() != want {
		t.Errorf("wrote\n%swant\n%s", b.String(), want)
	}
}

func TestErrorsAreErrorsLineByLine(t *testing.T) {
	var b bytes.Buffer
	fmt.Fprintln(journal.Errors(&b), "one\ntwo")
	if want := "<3>one\n<3>two\n"; b.String() != want {
		t.Errorf("wrote %q, want %q", b.String(), want)
	}
}

func TestStreamIsTheJournals(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("Sys is a %T", info.Sys())
	}
	own := fmt.Sprintf("%d:%d", s.Dev, s.Ino)
	for variable, want := range map[string]bool{own: true, "": false, "1:2": false, own + "0": false, "x": false} {
		if got := journal.Stream(f, variable); got != want {
			t.Errorf("JOURNAL_STREAM=%s: %v, want %v", variable, got, want)
		}
	}
	if journal.Stream(&bytes.Buffer{}, own) {
		t.Error("a buffer is taken for the journal")
	}
}
