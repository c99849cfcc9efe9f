package broker

import (
	"log/slog"
	"time"

	"camqtt/internal/ratelog"
)

// journal is the broker's log.
type journal struct {
	out   *slog.Logger
	often *ratelog.Logger
}

func newJournal(out *slog.Logger, every time.Duration) *journal {
	return &journal{out: out, often: ratelog.New(out, every)}
}

// trouble logs a warning that clients can cause.
func (j *journal) trouble(msg string, args ...any) { j.often.Warn(msg, args...) }

// client logs a warning about one client.
func (j *journal) client(c *conn, msg string, args ...any) {
	j.trouble(msg, append([]any{"client", c.id, "remote", c.RemoteAddr().String()}, args...)...)
}
