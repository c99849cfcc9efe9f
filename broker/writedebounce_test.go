package broker

import (
	"testing"
	"time"
)

// What is written soon and what waits, by the second.
func TestPace(t *testing.T) {
	begun := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	type change struct {
		at    int
		topic string // with "-" in front: removed
	}
	for name, tc := range map[string]struct {
		changes []change
		want    []int // seconds at which something is written
	}{
		"once":                       {[]change{{1, "a"}}, []int{2}},
		"often":                      {[]change{{1, "a"}, {3, "a"}, {5, "a"}, {30, "a"}}, []int{2, 64}},
		"often, then long after":     {[]change{{1, "a"}, {3, "a"}, {200, "a"}}, []int{2, 64, 202}},
		"another one":                {[]change{{1, "a"}, {3, "a"}, {10, "b"}}, []int{2, 12, 64}},
		"state":                      {[]change{{1, "site/cam/x/state"}}, []int{62}},
		"status again and again":     {[]change{{1, "site/cam/x/status"}, {3, "site/cam/x/status"}, {5, "site/cam/x/status"}}, []int{2, 4, 6}},
		"no camera's":                {[]change{{1, "site/x/status"}, {3, "site/x/status"}}, []int{2, 64}},
		"removed":                    {[]change{{1, "a"}, {3, "-a"}}, []int{2, 4}},
		"removed and new":            {[]change{{1, "a"}, {3, "-a"}, {5, "a"}}, []int{2, 4, 6}},
		"a state beside a new topic": {[]change{{1, "site/cam/x/state"}, {10, "b"}}, []int{12, 62}},
	} {
		p := newWriteDebounce(time.Minute)
		var got []int
		for s := range 300 {
			now := begun.Add(time.Duration(s) * time.Second)
			if s%2 == 0 && len(p.due(now)) > 0 {
				got = append(got, s)
			}
			for _, c := range tc.changes {
				switch {
				case c.at != s:
				case c.topic[0] == '-':
					p.removed(c.topic[1:])
				default:
					p.changed("site/cam", c.topic, now)
				}
			}
		}
		if len(got) != len(tc.want) {
			t.Errorf("%s: written at %d, wanted at %d", name, got, tc.want)
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s: written at %d, wanted at %d", name, got, tc.want)
				break
			}
		}
	}
}

// A wall of cameras that stream writes to the disk once a minute, and a snapshot that
// is taken every second does too.
func TestStreamingSparesTheDisk(t *testing.T) {
	dir := t.TempDir()
	bubble(t, Options{Data: dir}, func(b *Broker, dial func() *client) {
		cam := dial()
		cam.joins(t, "cam", 4)
		cam.publish(t, "cam/a/status", []byte("online"), 1, true)
		cam.publish(t, "cam/a/info", []byte("{}"), 1, true)
		cam.sync(t)
		time.Sleep(3 * time.Second)
		before := b.Stats().StoreWrites
		if before != 1 {
			t.Errorf("%d writes for status and info, wanted 1", before)
		}
		for i := range 600 {
			cam.publish(t, "cam/a/state", []byte{'0' + byte(i%10)}, 1, true)
			cam.publish(t, "cam/a/snapshot", []byte{'0' + byte(i%10), 2, 3}, 0, true)
			cam.sync(t)
			time.Sleep(time.Second)
		}
		if n := b.Stats().StoreWrites - before; n < 10 || n > 22 {
			t.Errorf("%d writes in ten minutes of streaming, wanted about 20", n)
		}
	})
}
