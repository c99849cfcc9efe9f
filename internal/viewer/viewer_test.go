package viewer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/link"
	"camqtt/internal/testkit"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// wireLink stands for the connection: it records, and lets a test answer.
type wireLink struct {
	mu        sync.Mutex
	filters   map[string]bool
	commands  []string
	answer    func(topic string, c wire.Command)
	subscribe error
}

func (l *wireLink) Publish(_ context.Context, msgs ...wire.Message) error {
	l.mu.Lock()
	answer := l.answer
	for _, m := range msgs {
		l.commands = append(l.commands, m.Topic+" "+string(m.Payload))
	}
	l.mu.Unlock()
	for _, m := range msgs {
		if c, err := wire.ParseCommand(m.Payload, time.Now()); err == nil && answer != nil {
			answer(m.Topic, c)
		}
	}
	return nil
}

func (l *wireLink) Subscribe(_ context.Context, subs ...link.Subscription) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.subscribe != nil {
		return l.subscribe
	}
	for _, s := range subs {
		l.filters[s.Filter] = true
	}
	return nil
}

func (l *wireLink) Unsubscribe(_ context.Context, filters ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range filters {
		delete(l.filters, f)
	}
	return nil
}

// verbs counts the commands of one verb so far.
func (l *wireLink) verbs(v wire.Verb) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.commands {
		if strings.Contains(c, " "+string(v)) {
			n++
		}
	}
	return n
}

func (l *wireLink) subscribed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for f := range l.filters {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}

func start(t *testing.T) (*viewer.Viewer, *wireLink) {
	t.Helper()
	l := &wireLink{filters: map[string]bool{}}
	v, err := viewer.New(viewer.Options{Link: l, Log: testkit.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	return v, l
}

// say delivers a message of the porch.
func say(v *viewer.Viewer, k wire.Kind, payload any, retained bool) {
	b, ok := payload.([]byte)
	if s, text := payload.(string); text {
		b, ok = []byte(s), true
	}
	if !ok {
		b, _ = json.Marshal(payload)
	}
	v.Receive(wire.Message{Topic: "cam/porch/" + string(k), Payload: b, Retained: retained})
}

// huge is a picture whose header claims 30,000 x 30,000 pixels.
func huge(t *testing.T) []byte {
	pic := testkit.JPEG(t, 64, 48, 1, 0)
	copy(pic[bytes.Index(pic, []byte{0xff, 0xc0})+5:], []byte{0x75, 0x30, 0x75, 0x30})
	return pic
}

func TestSnap(t *testing.T) {
	pic := testkit.JPEG(t, 64, 48, 1, 0)
	for name, c := range map[string]struct {
		answer func(v *viewer.Viewer, id string)
		err    string
	}{
		"in order": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindMeta, wire.Meta{Seq: 7}, false)
			say(v, wire.KindSnapshot, pic, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7}, false)
		}, ""},
		"result first": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7}, false)
			say(v, wire.KindMeta, wire.Meta{Seq: 7}, false)
			say(v, wire.KindSnapshot, pic, false)
		}, ""},
		"description last": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindMeta, wire.Meta{Seq: 6, Bytes: 5}, false)
			say(v, wire.KindSnapshot, pic, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7}, false)
			say(v, wire.KindMeta, wire.Meta{Seq: 7, Bytes: len(pic)}, false)
		}, ""},
		"an old one is kept by the broker": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindMeta, wire.Meta{Seq: 6}, true)
			say(v, wire.KindSnapshot, []byte("old"), true)
			say(v, wire.KindMeta, wire.Meta{Seq: 7}, false)
			say(v, wire.KindSnapshot, pic, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7}, false)
		}, ""},
		"somebody else's comes first": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindMeta, wire.Meta{Seq: 6}, false)
			say(v, wire.KindSnapshot, []byte("other"), false)
			say(v, wire.KindResult, wire.Result{ID: "other", OK: true, Seq: 6}, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7}, false)
			say(v, wire.KindMeta, wire.Meta{Seq: 7}, false)
			say(v, wire.KindSnapshot, pic, false)
		}, ""},
		"claims to be huge": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindMeta, wire.Meta{Seq: 7}, false)
			say(v, wire.KindSnapshot, huge(t), false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7}, false)
		}, "got 30000x30000 pixels, want a picture of 50 megapixels or less"},
		"refused": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindResult, wire.Result{ID: id, Code: wire.Privacy, Text: "privacy is on"}, false)
		}, "privacy: privacy is on"},
		"silence":  {func(*viewer.Viewer, string) {}, "no camera of this id"},
		"nonsense": {func(v *viewer.Viewer, _ string) { say(v, wire.KindResult, "{", false) }, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, l := start(t)
				l.answer = func(topic string, cmd wire.Command) {
					if topic == "cam/porch/cmd" && cmd.Verb == wire.Snap {
						c.answer(v, cmd.ID)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				got, err := v.Snap(ctx, "porch", viewer.Ask{MaxAge: time.Second})
				switch {
				case c.err == "" && (err != nil || string(got.JPEG) != string(pic) || got.Meta.Seq != 7):
					t.Errorf("got %d bytes, seq %d, %v", len(got.JPEG), got.Meta.Seq, err)
				case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
					t.Errorf("got %v, want %q", err, c.err)
				}
				if left := l.subscribed(); len(left) != 0 {
					t.Errorf("left subscribed to %v", left)
				}
			})
		})
	}
}

// TestSnapsShareSubscriptions asks many times at once.
func TestSnapsShareSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := start(t)
		var ids []string
		l.answer = func(_ string, c wire.Command) { l.mu.Lock(); defer l.mu.Unlock(); ids = append(ids, c.ID) }
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := v.Snap(t.Context(), "porch", viewer.Ask{}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if got := l.subscribed(); len(got) != 3 {
			t.Errorf("subscribed to %v", got)
		}
		say(v, wire.KindMeta, wire.Meta{Seq: 1}, false)
		say(v, wire.KindSnapshot, []byte("jpeg"), false)
		for _, id := range ids {
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 1}, false)
		}
		wg.Wait()
		if got := l.subscribed(); len(got) != 0 {
			t.Errorf("left subscribed to %v", got)
		}
	})
}

func TestRefusedSubscription(t *testing.T) {
	v, l := start(t)
	l.subscribe = errors.New("refused by the broker")
	if _, err := v.Snap(t.Context(), "porch", viewer.Ask{}); !errors.Is(err, l.subscribe) {
		t.Errorf("got %v", err)
	}
	if err := v.Watch(t.Context(), "porch", viewer.Live{}, nil); !errors.Is(err, l.subscribe) {
		t.Errorf("got %v", err)
	}
}

func TestCameras(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := start(t)
		v.LinkUp()
		synctest.Wait()
		if l.verbs(wire.Hello) != 1 {
			t.Error("cameras were not asked to say who they are")
		}
		if subs := v.Subscriptions(); len(subs) != 4 || subs[0].Filter != "cam/+/status" {
			t.Errorf("subscriptions %v", subs)
		}
		say(v, wire.KindStatus, "online", true)
		say(v, wire.KindInfo, wire.Info{ID: "porch", Name: "Front"}, true)
		say(v, wire.KindState, "{nonsense", true)
		v.Receive(wire.Message{Topic: "cam/Bad Id/status", Payload: []byte("online")})
		all := v.Cameras()
		if len(all) != 1 || all[0].Info.Name != "Front" || !all[0].Online(time.Now()) {
			t.Fatalf("cameras %+v", all)
		}
		time.Sleep(91 * time.Second)
		if c, _ := v.Camera("porch"); !c.Lost(time.Now()) {
			t.Error("a camera silent for three heartbeats is not lost")
		}
		say(v, wire.KindStats, wire.Stats{Every: 60}, false)
		time.Sleep(170 * time.Second)
		if c, _ := v.Camera("porch"); c.Lost(time.Now()) {
			t.Error("a camera with a slow heartbeat is lost too early")
		}
		say(v, wire.KindStatus, "", false)
		say(v, wire.KindInfo, "", false)
		if all := v.Cameras(); len(all) != 0 {
			t.Errorf("a forgotten camera is still there: %+v", all)
		}
	})
}

func TestDoAndSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := start(t)
		l.answer = func(_ string, c wire.Command) {
			say(v, wire.KindResult, wire.Result{ID: c.ID, OK: true, Code: wire.OK, Cmd: string(c.Verb)}, false)
		}
		if r, err := v.Do(t.Context(), "porch", wire.Command{Verb: wire.Stop}); err != nil || r.Cmd != "stop" {
			t.Errorf("result %+v, %v", r, err)
		}
		l.answer = nil
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.Set(ctx, "porch", map[string]string{"fps": "5"}); !errors.Is(err, viewer.ErrNoAnswer) {
			t.Errorf("set without an answer: %v", err)
		}
		last := l.commands[len(l.commands)-1]
		if !strings.HasPrefix(last, "cam/porch/set {") || !strings.Contains(last, `"fps":"5"`) {
			t.Errorf("published %s", last)
		}
	})
}

// TestFind waits for a camera that is offline, and no longer for one that sleeps:
// its bridge may answer.
func TestFind(t *testing.T) {
	v, _ := start(t)
	for status, found := range map[string]bool{wire.Online: true, wire.Sleeping: true, wire.Offline: false} {
		say(v, wire.KindStatus, status, true)
		if _, err := v.Find(t.Context(), "porch", 50*time.Millisecond); (err == nil) != found {
			t.Errorf("%s: %v", status, err)
		}
	}
	if _, err := v.Find(t.Context(), "nobody", 50*time.Millisecond); !errors.Is(err, viewer.ErrUnknown) {
		t.Errorf("a camera that is not there: %v", err)
	}
}
