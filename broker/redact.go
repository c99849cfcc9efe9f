package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// journal writes one line per kind of trouble and period, so that a client can
// neither fill the disk nor hide one thing behind another.
type journal struct {
	out   *slog.Logger
	every time.Duration

	mu    sync.Mutex
	kinds map[string]*lastLine
}

type lastLine struct {
	at    time.Time
	since int // held back
}

func newJournal(out *slog.Logger, every time.Duration) *journal {
	return &journal{out: out, every: every, kinds: make(map[string]*lastLine)}
}

// trouble logs a warning unless one of its kind, which is the message, was logged
// lately.
func (j *journal) trouble(msg string, args ...any) {
	if n, ok := j.due(msg); ok {
		if n > 0 {
			args = append(args, "more", n)
		}
		for i := 1; i < len(args); i += 2 {
			args[i] = short(args[i])
		}
		j.out.Warn(msg, args...)
	}
}

// due says whether a kind may be logged now and how many were held back.
func (j *journal) due(kind string) (int, bool) {
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	k := j.kinds[kind]
	if k == nil {
		if len(j.kinds) >= 256 { // kinds are constants; this is for the engine's
			clear(j.kinds)
		}
		k = &lastLine{}
		j.kinds[kind] = k
	} else if now.Sub(k.at) < j.every {
		k.since++
		return 0, false
	}
	n := k.since
	k.at, k.since = now, 0
	return n, true
}

// short keeps what a client has sent from filling a line.
func short(v any) any {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case error:
		s = v.Error()
	default:
		return v
	}
	if len(s) > 200 {
		s = s[:200] + "..."
	}
	return s
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
	if !r.j.out.Enabled(ctx, level) {
		return nil
	}
	n := 0
	if level > slog.LevelInfo {
		var ok bool
		if n, ok = r.j.due("engine: " + rec.Message); !ok {
			return nil
		}
	}
	args := []slog.Attr{slog.String("why", rec.Message)}
	rec.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "client", "listener", "keepalive":
			args = append(args, slog.Any(a.Key, short(a.Value.String())))
		case "error":
			args = append(args, slog.Any("err", short(a.Value.String())))
		}
		return true
	})
	if n > 0 {
		args = append(args, slog.Int("more", n))
	}
	r.j.out.LogAttrs(ctx, level, "engine", args...)
	return nil
}

// WithAttrs drops what the engine's parts add.
func (r redactor) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup does nothing.
func (r redactor) WithGroup(string) slog.Handler { return r }
