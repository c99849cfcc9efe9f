// Package journal writes log lines as systemd's journal reads them from standard error:
// with their priority in front, sd-daemon(3), and without a time, which the journal has
// itself. It knows when standard error is the journal, and writes nothing else there.
package journal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
)

// Stream reports whether a writer is the stream of the journal that the variable
// JOURNAL_STREAM names by its device and inode, systemd.exec(5).
func Stream(w io.Writer, variable string) bool {
	f, ok := w.(*os.File)
	if !ok || variable == "" {
		return false
	}
	dev, ino, ok := identity(f)
	return ok && variable == fmt.Sprintf("%d:%d", dev, ino)
}

// Priority returns what stands before a line of a level, syslog(3).
func Priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

// Handler gives every line of another handler its priority.
type Handler struct {
	slog.Handler
	out *lines
}

// New makes a handler with make, which writes one line for each record.
func New(w io.Writer, make func(io.Writer) slog.Handler) *Handler {
	out := &lines{w: w}
	return &Handler{make(out), out}
}

// Handle writes one record.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.priority = Priority(r.Level)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps priorities.
func (h *Handler) WithAttrs(a []slog.Attr) slog.Handler {
	return &Handler{h.Handler.WithAttrs(a), h.out}
}

// WithGroup keeps priorities.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.Handler.WithGroup(name), h.out}
}

// lines writes each line after the priority of the record under way.
type lines struct {
	w        io.Writer
	mu       sync.Mutex // from the choice of the priority to the end of the line
	priority string
}

// Write takes one line.
func (l *lines) Write(p []byte) (int, error) {
	if _, err := l.w.Write(append([]byte(l.priority), p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Errors is a writer of whole lines that are errors.
func Errors(w io.Writer) io.Writer { return errorLines{w} }

type errorLines struct{ w io.Writer }

// Write takes whole lines.
func (e errorLines) Write(p []byte) (int, error) {
	var b bytes.Buffer
	for line := range bytes.Lines(p) {
		b.WriteString(Priority(slog.LevelError))
		b.Write(line)
	}
	if _, err := e.w.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WithoutTime is for slog.HandlerOptions: it leaves out the time of a record.
func WithoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		return slog.Attr{}
	}
	return a
}
