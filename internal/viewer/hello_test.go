package viewer_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// hellos returns the topics to which hello was sent.
func (l *wireLink) hellos() (topics []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.commands {
		if topic, verb, _ := strings.Cut(c, " "); verb == string(wire.Hello) {
			topics = append(topics, topic)
		}
	}
	return topics
}

// All cameras are asked what they are where the broker tells of none, and only there.
func TestHelloToAll(t *testing.T) {
	for name, c := range map[string]struct {
		retained bool
		want     []string
	}{
		"nothing is retained": {false, []string{"cam/_all/cmd"}},
		"cameras are known":   {true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				v, l := start(t)
				v.LinkUp()
				if c.retained {
					say(v, wire.KindStatus, wire.Online, true)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := l.hellos(); !slices.Equal(got, c.want) {
					t.Errorf("hello was sent to %v, want %v", got, c.want)
				}
			})
		})
	}
}

// A viewer of one camera subscribes to that alone, and asks it alone when the broker does
// not tell of it.
func TestHelloToOne(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		l := &wireLink{filters: map[string]bool{}}
		v, err := viewer.New(viewer.Options{Link: l, Log: testkit.Log(t), Camera: "porch"})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range v.Subscriptions() {
			if !strings.HasPrefix(s.Filter, "cam/porch/") {
				t.Errorf("it subscribes to %s", s.Filter)
			}
		}
		v.LinkUp()
		if _, err := v.Find(t.Context(), "porch", 2*time.Second); err == nil {
			t.Error("a camera was found that is not there")
		}
		synctest.Wait()
		if got := l.hellos(); !slices.Equal(got, []string{"cam/porch/cmd"}) {
			t.Errorf("hello was sent to %v", got)
		}
	})
}

// A camera that is heard, and of which nothing is known, is asked what it is: it alone, and
// not with every message. So it comes back when what the broker kept of it was cleared.
func TestHelloToUnknown(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		v, l := start(t)
		say(v, wire.KindStatus, wire.Online, true)
		say(v, wire.KindInfo, wire.Info{ID: "porch"}, true)
		say(v, wire.KindStats, wire.Stats{Every: 30}, false)
		synctest.Wait()
		if got := l.hellos(); len(got) != 0 {
			t.Errorf("hello was sent to %v, which is known", got)
		}
		say(v, wire.KindStatus, "", false)
		say(v, wire.KindInfo, "", false)
		for range 5 {
			for _, k := range []wire.Kind{wire.KindStats, wire.KindState, wire.KindEvent} {
				say(v, k, "{}", false)
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got := l.hellos(); !slices.Equal(got, []string{"cam/porch/cmd"}) {
			t.Errorf("hello was sent to %v, want once to the camera", got)
		}
	})
}

// A sleeping camera of which no heartbeat comes is lost like one that is online.
func TestSleepingIsLost(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		v, _ := start(t)
		say(v, wire.KindStatus, wire.Sleeping, true)
		say(v, wire.KindInfo, wire.Info{ID: "porch", StatsEvery: 10}, true)
		for range 6 {
			time.Sleep(10 * time.Second)
			say(v, wire.KindStats, wire.Stats{Every: 10}, false)
		}
		if c, _ := v.Camera("porch"); c.Lost(time.Now()) {
			t.Error("a sleeping camera with a heartbeat is lost")
		}
		time.Sleep(31 * time.Second)
		if c, _ := v.Camera("porch"); !c.Lost(time.Now()) {
			t.Error("a sleeping camera without a heartbeat is not lost")
		}
	})
}

// A camera whose clock differs is told the time: at once, again while it differs, and when
// it agrees.
func TestClockIsTold(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		l := &wireLink{filters: map[string]bool{}}
		v, err := viewer.New(viewer.Options{Link: l, Log: testkit.Log(t), TellClocks: true})
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		for _, c := range []struct {
			ahead time.Duration
			after time.Duration
			want  bool
		}{
			{0, 0, false},
			{-time.Hour, 30 * time.Second, true},
			{-time.Hour, 30 * time.Second, false},
			{-time.Hour, 15 * time.Minute, true},
			{0, 30 * time.Second, true},
			{0, 30 * time.Minute, false},
		} {
			time.Sleep(c.after)
			say(v, wire.KindStatus, wire.Online, false)
			say(v, wire.KindStats, wire.Stats{TS: wire.At(time.Now().Add(c.ahead))}, false)
			synctest.Wait()
			if n := l.verbs(`{"cmd":"hello","ts":"`); (n > told) != c.want {
				t.Errorf("clock %s ahead, after %s: told %d times, before %d", c.ahead, c.after, n, told)
			} else {
				told = n
			}
		}
	})
}
