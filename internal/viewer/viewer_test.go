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

	"camqtt/internal/jpeg"
	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// wireLink stands for the connection: it records, and lets a test answer.
type wireLink struct {
	mu        sync.Mutex
	filters   map[string]bool
	commands  []string
	answer    func(topic string, c wire.Command)
	subscribe error // what the broker answers
	packets   int   // SUBSCRIBE so far
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

func (l *wireLink) Subscribe(_ context.Context, subs ...mqttclient.Subscription) <-chan error {
	l.mu.Lock()
	defer l.mu.Unlock()
	answer := make(chan error, 1)
	answer <- l.subscribe
	l.packets++
	for _, s := range subs {
		if l.subscribe == nil {
			l.filters[s.Filter] = true
		}
	}
	return answer
}

func (l *wireLink) Unsubscribe(filters ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range filters {
		delete(l.filters, f)
	}
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

// idle waits until nothing need be subscribed any more, on fake time.
func idle(t *testing.T, l *wireLink) {
	t.Helper()
	time.Sleep(time.Minute)
	synctest.Wait()
	if left := l.subscribed(); len(left) != 0 {
		t.Errorf("left subscribed to %v", left)
	}
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
func huge(pic []byte) []byte {
	pic = bytes.Clone(pic)
	copy(pic[bytes.Index(pic, []byte{0xff, 0xc0})+5:], []byte{0x75, 0x30, 0x75, 0x30})
	return pic
}

// named is a picture with an ImageUniqueID of its own.
func named(t *testing.T, id string) []byte {
	t.Helper()
	b := testkit.JPEG(t, 64, 48, 1, 0)
	info, err := jpeg.Scan(b)
	if err != nil {
		t.Fatal(err)
	}
	return jpeg.Dress(b, info, jpeg.EXIF{Time: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), ID: id})
}

func TestSnap(t *testing.T) {
	image := strings.Repeat("a1", 16)
	pic, other := named(t, image), named(t, strings.Repeat("b2", 16))
	for name, c := range map[string]struct {
		answer func(v *viewer.Viewer, id string)
		err    string
	}{
		"in order": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindFrame, pic, false)
			say(v, wire.KindMeta, wire.Meta{Seq: 7, Image: image}, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7, Image: image}, false)
		}, ""},
		"result first": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7, Image: image}, false)
			say(v, wire.KindMeta, wire.Meta{Seq: 7, Image: image}, false)
			say(v, wire.KindFrame, pic, false)
		}, ""},
		"without a description": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindFrame, pic, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7, Image: image}, false)
		}, ""},
		"live pictures between": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindFrame, other, false)
			say(v, wire.KindFrame, pic, false)
			say(v, wire.KindFrame, other, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7, Image: image}, false)
		}, ""},
		"of the length of another": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindMeta, wire.Meta{Seq: 7, Bytes: len(other), Image: image}, false)
			say(v, wire.KindFrame, other, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7, Bytes: len(other), Image: image}, false)
			say(v, wire.KindFrame, pic, false)
		}, ""},
		"replaced on the way, and kept by the broker": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindFrame, other, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7, Image: image}, false)
			time.Sleep(2 * time.Second)
			say(v, wire.KindSnapshot, pic, true)
		}, ""},
		"an old picture is kept": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindMeta, wire.Meta{Seq: 9, Bytes: 3}, true)
			say(v, wire.KindSnapshot, []byte("old"), true)
			say(v, wire.KindFrame, pic, false)
			say(v, wire.KindMeta, wire.Meta{Seq: 7, Image: image}, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7, Image: image}, false)
		}, ""},
		"another asker's comes first": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindMeta, wire.Meta{Seq: 6, Image: strings.Repeat("b2", 16)}, false)
			say(v, wire.KindFrame, other, false)
			say(v, wire.KindResult, wire.Result{ID: "other", OK: true, Seq: 6, Image: strings.Repeat("b2", 16)}, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7, Image: image}, false)
			say(v, wire.KindMeta, wire.Meta{Seq: 7, Image: image}, false)
			say(v, wire.KindFrame, pic, false)
		}, ""},
		"a node of the previous release": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindFrame, pic, false)
			say(v, wire.KindMeta, wire.Meta{Seq: 7, Bytes: len(pic)}, false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7, Bytes: len(pic)}, false)
		}, ""},
		"claims to be huge": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindFrame, huge(pic), false)
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 7, Image: image}, false)
		}, "got 30000x30000 pixels, want a picture of 50 megapixels or less"},
		"refused": {func(v *viewer.Viewer, id string) {
			say(v, wire.KindResult, wire.Result{ID: id, Code: wire.Privacy, Text: "privacy is on"}, false)
		}, "privacy: privacy is on"},
		"silence":  {func(*viewer.Viewer, string) {}, "no camera of this id"},
		"nonsense": {func(v *viewer.Viewer, _ string) { say(v, wire.KindResult, "{", false) }, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
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
				case c.err == "" && (err != nil || !bytes.Equal(got.JPEG, pic) || got.Meta.Seq != 7):
					t.Errorf("got %d bytes, seq %d, %v", len(got.JPEG), got.Meta.Seq, err)
				case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
					t.Errorf("got %v, want %q", err, c.err)
				}
				idle(t, l)
			})
		})
	}
}

// TestSnapsShareSubscriptions asks many times at once.
func TestSnapsShareSubscriptions(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		v, l := start(t)
		say(v, wire.KindStatus, wire.Online, true)
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
		image := strings.Repeat("a1", 16)
		say(v, wire.KindFrame, named(t, image), false)
		for _, id := range ids {
			say(v, wire.KindResult, wire.Result{ID: id, OK: true, Seq: 1, Image: image}, false)
		}
		wg.Wait()
		if l.packets != 1 {
			t.Errorf("%d SUBSCRIBE packets, want one for all", l.packets)
		}
		idle(t, l)
	})
}

// What the broker refuses ends a question at once, and is asked again by the next.
func TestRefusedSubscription(t *testing.T) {
	v, l := start(t)
	refused := &mqttclient.RefusedError{Filters: []string{"cam/porch/result"}}
	l.subscribe = refused
	for n := range 2 {
		if _, err := v.Snap(t.Context(), "porch", viewer.Ask{}); !errors.Is(err, refused) {
			t.Errorf("got %v", err)
		}
		if l.packets != n+1 {
			t.Errorf("%d SUBSCRIBE packets after %d questions", l.packets, n+1)
		}
	}
	if err := v.Watch(t.Context(), "porch", viewer.Live{}, nil); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}

func TestCameras(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		v, _ := start(t)
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
	faketime.Run(t, func(t *testing.T) {
		v, l := start(t)
		say(v, wire.KindStatus, wire.Online, true)
		l.answer = func(_ string, c wire.Command) {
			say(v, wire.KindResult, wire.Result{ID: c.ID, OK: true, Code: wire.OK, Cmd: string(c.Verb)}, false)
		}
		if r, err := v.Do(t.Context(), "porch", wire.Command{Verb: wire.Stop}); err != nil || r.Cmd != "stop" {
			t.Errorf("result %+v, %v", r, err)
		}
		synctest.Wait() // nothing answers any more
		l.answer = nil
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.Set(ctx, "porch", map[string]string{"fps": "5"}); !errors.Is(err, viewer.ErrNoAnswer) {
			t.Errorf("set without an answer: %v", err)
		}
		synctest.Wait()
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
