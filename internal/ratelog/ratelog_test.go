package ratelog_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"camqtt/internal/ratelog"
	"camqtt/internal/testkit/faketime"
)

func lines(out *bytes.Buffer) []string {
	defer out.Reset()
	return strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' })
}

// Every client and every reason is seen, each once per period.
func TestEachClientAndReason(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		var out bytes.Buffer
		l := ratelog.New(slog.New(slog.NewTextHandler(&out, nil)), time.Minute)
		refuse := func(client string, port int, why string) {
			l.Warn("connection refused", "client", client, "remote", fmt.Sprint("192.0.2.1:", port), "why", errors.New(why))
		}
		for i := range 100 {
			refuse("door", 1000+i, fmt.Sprintf("too many wrong passwords: try again in %ds", i))
			refuse("yard", 2000+i, "the password is wrong")
			refuse("door", 3000+i, "an account is needed")
		}
		if got := lines(&out); len(got) != 3 {
			t.Fatalf("%d lines, want 3:\n%s", len(got), strings.Join(got, "\n"))
		}
		time.Sleep(time.Minute)
		refuse("yard", 1, "the password is wrong")
		if got := lines(&out); len(got) != 1 || !strings.Contains(got[0], "more=99") {
			t.Errorf("a period later: %q, want one line with more=99", got)
		}
	})
}

// One address that invents names fills neither the log nor hides another address.
func TestOneAddressIsBounded(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		var out bytes.Buffer
		l := ratelog.New(slog.New(slog.NewTextHandler(&out, nil)), time.Minute)
		for i := range 1000 {
			l.Warn("connection refused", "client", fmt.Sprint("c", i), "remote", "192.0.2.1:1", "why", strings.Repeat("x", 5000))
		}
		l.Warn("connection refused", "client", "yard", "remote", "192.0.2.1:2", "why", "TLS was spoken to a plain port")
		l.Warn("connection refused", "client", "door", "remote", "192.0.2.2:1", "why", "an account is needed")
		got := lines(&out)
		if len(got) > 10 || len(strings.Join(got, "")) > 10*400 {
			t.Errorf("one address caused %d lines", len(got))
		}
		if last := got[len(got)-2:]; !strings.Contains(last[0], "client=yard") || !strings.Contains(last[0], "more=992") || !strings.Contains(last[1], "client=door") {
			t.Errorf("another reason and another address: %q, want client=yard with more=992 and client=door", last)
		}
		for i := range 1000 {
			l.Warn("connection refused", "remote", fmt.Sprintf("[2001:db8:%x::1]:1", i))
		}
		if got := lines(&out); len(got) > 60 {
			t.Errorf("1000 addresses caused %d lines", len(got))
		}
	})
}
