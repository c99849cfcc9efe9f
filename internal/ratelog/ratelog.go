// Package ratelog writes log lines that clients can cause. One client can neither
// fill the disk nor hide another client's line: the same message about the same
// client for the same reason is written once per period, and the next line says how
// many were left out.
package ratelog

import (
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"camqtt/internal/clientip"
)

const (
	// perReason is how many clients of one address are named for one reason in a period.
	perReason = 8
	// perAddress is how many different lines of one message one address may cause in a period.
	perAddress = 24
	// perMessage is how many different lines of one message all addresses may cause in a period.
	perMessage = 60
	// maxText is the longest text of an attribute, in bytes.
	maxText = 200
)

// Logger limits the lines that it passes on. Make one with [New]. Its methods may be
// called from any goroutine.
type Logger struct {
	out   *slog.Logger
	every time.Duration

	mu       sync.Mutex
	messages map[string]*window // by message, which is a constant
}

// window is what was written of one message in the current period.
type window struct {
	began     time.Time
	lines     map[line]int   // lines written in the period -> how many were left out since
	byAddress map[string]int // lines of an address in the period
	byReason  map[line]int   // the same for one reason
	left      map[line]int   // left out in earlier periods and not reported yet
	rest      int            // lines left out because there were too many different ones
}

// line is what makes two lines the same.
type line struct{ address, client, why string }

// reason is a line without the client.
func (k line) reason() line { return line{address: k.address, why: k.why} }

// New returns a logger that writes the same line at most once per period.
func New(out *slog.Logger, every time.Duration) *Logger {
	return &Logger{out: out, every: every, messages: map[string]*window{}}
}

// Warn writes a warning unless the same was written in this period. The attributes
// remote or from give the client's address. The attributes client, user, cam, listener,
// why and err say which client it is and why; digits in them do not count, so that two
// ports or two waiting times are the same line. All other attributes are only written.
func (l *Logger) Warn(msg string, args ...any) {
	left, ok := l.take(msg, lineOf(args), time.Now())
	if !ok {
		return
	}
	if left > 0 {
		args = append(args, "more", left)
	}
	for i := 1; i < len(args); i += 2 {
		args[i] = Short(args[i])
	}
	l.out.Warn(msg, args...)
}

// take reports whether a line is to be written now, and how many were left out before it.
func (l *Logger) take(msg string, k line, now time.Time) (left int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.messages[msg]
	switch {
	case w == nil:
		if len(l.messages) >= 256 { // messages are constants; this only bounds a mistake
			clear(l.messages)
		}
		w = &window{began: now, lines: map[line]int{}, byAddress: map[string]int{}, byReason: map[line]int{}}
		l.messages[msg] = w
	case now.Sub(w.began) >= l.every:
		w.restart(now)
	}
	switch _, written := w.lines[k]; {
	case written:
		w.lines[k]++
		return 0, false
	case len(w.lines) >= perMessage, w.byAddress[k.address] >= perAddress, w.byReason[k.reason()] >= perReason:
		w.rest++
		return 0, false
	}
	w.lines[k] = 0
	w.byAddress[k.address]++
	w.byReason[k.reason()]++
	left = w.left[k] + w.rest
	delete(w.left, k)
	w.rest = 0
	return left, true
}

// restart begins a new period. What was left out is reported with the next line.
func (w *window) restart(now time.Time) {
	w.began = now
	w.left = map[line]int{}
	for k, n := range w.lines {
		if n > 0 {
			w.left[k] = n
		}
	}
	clear(w.lines)
	clear(w.byAddress)
	clear(w.byReason)
}

// lineOf finds what makes a line differ from others of its message.
func lineOf(args []any) (k line) {
	for i := 0; i+1 < len(args); i += 2 {
		name, _ := args[i].(string)
		switch name {
		case "remote", "from":
			k.address = host(text(args[i+1]))
		case "client", "user", "cam", "listener":
			k.client += clip(text(args[i+1])) + "\n"
		case "why", "err":
			k.why += withoutDigits(clip(text(args[i+1]))) + "\n"
		}
	}
	return k
}

func withoutDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}

// host returns what counts as one address.
func host(addr string) string {
	if ip, ok := clientip.Parse(addr); ok {
		return clientip.Group(ip).String()
	}
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case error:
		return v.Error()
	case interface{ String() string }:
		return v.String()
	}
	return ""
}

func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "..."
	}
	return s
}

// Short keeps what a client has sent from filling a line.
func Short(v any) any {
	switch t := v.(type) {
	case string:
		return clip(t)
	case error:
		return clip(t.Error())
	}
	return v
}
