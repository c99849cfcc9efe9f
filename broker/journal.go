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

// warn logs a warning that clients can cause.
func (j *journal) warn(msg string, args ...any) { j.often.Warn(msg, args...) }

// client logs a warning about one client.
func (j *journal) warnClient(c *conn, msg string, args ...any) {
	j.warn(msg, append([]any{"client", c.id, "remote", c.RemoteAddr().String()}, args...)...)
}
