package broker

import (
	"context"
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

// redactor is the engine's log. The engine logs whole packets, passwords and payloads
// included; only what is known to be harmless passes, and at a bounded rate.
type redactor struct{ j *journal }

// Enabled leaves out the engine's debugging, which logs every packet.
func (redactor) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle passes a line on without whatever could contain a packet.
func (r redactor) Handle(ctx context.Context, rec slog.Record) error {
	level := rec.Level
	if level == slog.LevelInfo {
		level = slog.LevelDebug // starting and stopping is logged by who starts and stops
	}
	args := []any{"why", rec.Message}
	rec.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "client", "listener", "keepalive":
			args = append(args, a.Key, a.Value.String())
		case "error":
			args = append(args, "err", a.Value.String())
		}
		return true
	})
	if level > slog.LevelInfo {
		r.j.trouble("engine", args...)
	} else {
		r.j.out.Log(ctx, level, "engine", args...)
	}
	return nil
}

// WithAttrs drops what the engine's parts add.
func (r redactor) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup does nothing.
func (r redactor) WithGroup(string) slog.Handler { return r }
