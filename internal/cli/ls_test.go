package cli

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// TestListProblem says the worst of a camera: why no pictures come, that nobody
// may see it, or that they are not as asked.
func TestListProblem(t *testing.T) {
	broken := &wire.Problem{Code: wire.Stalled, Text: "no picture\x1b[2J for 3s"}
	for want, s := range map[string]wire.State{
		"stalled: no picture?[2J for 3s": {Error: broken, Warning: "w", Privacy: true},
		"privacy is on":                  {Privacy: true},
		"privacy is on; warning: w":      {Warning: "w", Privacy: true},
		"warning: its one stream":        {Warning: "its one stream"},
		"":                               {},
	} {
		var out bytes.Buffer
		e := &env{Process: Process{Stdout: &out}}
		all := list([]viewer.Camera{{ID: "porch", Status: wire.Online, State: s}}, time.Now())
		if err := printList(e, all, ""); err != nil {
			t.Fatal(err)
		}
		line := strings.Split(out.String(), "\n")[1]
		if _, got, _ := strings.Cut(line, "never"); strings.TrimSpace(got) != want || all[0].Warning != s.Warning {
			t.Errorf("printed %q, want %q at its end", line, want)
		}
	}
}

// quietLink is a connection that records the topics of commands and lets a test answer.
type quietLink struct {
	mu     sync.Mutex
	topics []string
	answer func(wire.Message)
}

func (l *quietLink) Publish(_ context.Context, msgs ...wire.Message) error {
	for _, m := range msgs {
		l.mu.Lock()
		l.topics = append(l.topics, m.Topic)
		l.mu.Unlock()
		l.answer(m)
	}
	return nil
}

func (l *quietLink) Subscribe(context.Context, ...mqttclient.Subscription) <-chan error {
	answer := make(chan error, 1)
	answer <- nil
	return answer
}

func (l *quietLink) Unsubscribe(...string) {}

// The age of a picture of a camera whose clock is wrong is right, and only cameras of which
// that is in doubt are asked.
func TestListClocks(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		l := new(quietLink)
		v, err := viewer.New(viewer.Options{Link: l, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		off := map[string]time.Duration{"behind": -24 * time.Hour, "ahead": time.Hour, "fine": 0}
		say := func(id string, k wire.Kind, payload any, retained bool) {
			b, err := wire.JSON(payload)
			if err != nil {
				t.Fatal(err)
			}
			v.Receive(wire.Message{Topic: "cam/" + id + "/" + string(k), Payload: b, Retained: retained})
		}
		l.answer = func(m wire.Message) {
			id := strings.Split(m.Topic, "/")[1]
			c, err := wire.ParseCommand(m.Payload, now)
			if err != nil {
				t.Error(err)
				return
			}
			say(id, wire.KindResult, wire.Result{ID: c.ID, OK: true, Code: wire.OK, TS: wire.At(time.Now().Add(off[id]))}, false)
		}
		for id, d := range off {
			v.Receive(wire.Message{Topic: "cam/" + id + "/status", Payload: []byte(wire.Online), Retained: true})
			last := wire.At(now.Add(d - 2*time.Second))
			say(id, wire.KindState, wire.State{LastFrame: &last}, true)
		}
		askClocks(t.Context(), v, time.Second)
		for _, c := range list(v.Cameras(), time.Now()) {
			if c.AgeMS == nil || *c.AgeMS < 1900 || *c.AgeMS > 2100 {
				t.Errorf("%s: age %v ms, want 2000", c.ID, *c.AgeMS)
			}
			if (c.Warning != "") != (off[string(c.ID)] != 0) {
				t.Errorf("%s: warning %q", c.ID, c.Warning)
			}
		}
		if len(l.topics) != 2 || slices.Contains(l.topics, "cam/fine/cmd") {
			t.Errorf("asked %v", l.topics)
		}
		time.Sleep(time.Minute)
	})
}
