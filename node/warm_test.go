package node_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
	"camqtt/node/camera/testcard"
)

// metas returns the descriptions of snapshots among messages.
func metas(t *testing.T, all []sent) []wire.Meta {
	t.Helper()
	var got []wire.Meta
	for _, m := range of(all, wire.KindMeta) {
		var x wire.Meta
		if err := json.Unmarshal(m.Payload, &x); err != nil {
			t.Fatal(err)
		}
		got = append(got, x)
	}
	return got
}

// told sums up what meta and results say of pictures: "cold 300 / 300 200".
func told(t *testing.T, all []sent) string {
	t.Helper()
	var words []string
	for _, m := range metas(t, all) {
		words = append(words, fmt.Sprintf("%s %d", map[bool]string{true: "warm", false: "cold"}[m.Warm], m.TookMS))
	}
	words = append(words, "/")
	for _, r := range results(t, all) {
		if !r.OK {
			words = append(words, string(r.Code))
			continue
		}
		words = append(words, fmt.Sprint(r.TookMS))
	}
	return strings.Join(words, " ")
}

// TestWarmAndTook pins what warm and took_ms say, for a camera that needs 300 ms
// to its first picture and gives ten a second from then on.
func TestWarmAndTook(t *testing.T) {
	type step struct {
		say  string        // commands, separated by semicolons
		pass time.Duration // then
		want string
	}
	for name, steps := range map[string][]step{
		"closed, then lingering, then closed": {
			{"snap", time.Second, "cold 300 / 300"},
			{"snap", time.Second, "warm 100 / 100"}, // the picture of this very moment was exposed before
			{"", 12 * time.Second, "/"},
			{"snap", time.Second, "cold 300 / 300"},
		},
		"while it streams": {
			{"start for=1h", 1050 * time.Millisecond, "/ 300"},
			{"snap", time.Second, "warm 50 / 50"},
		},
		"while it opens": {
			{"start for=1h", 200 * time.Millisecond, "/"},
			{"snap", time.Second, "cold 100 / 300 100"},
		},
		"at another size": {
			{"start for=1h size=64x48", 1050 * time.Millisecond, "/ 300"},
			{"snap size=128x96", time.Second, "cold 300 / 300"},
		},
		"one waits when another size is asked for": {
			{"start for=1h size=64x48", 1050 * time.Millisecond, "/ 300"},
			{"snap size=64x48; snap size=128x96", time.Second, "cold 300 / 300 300"},
		},
		"from memory": {
			{"snap", 5 * time.Second, "cold 300 / 300"},
			{"snap max_age=1m", 0, "warm 0 / 0"},
			{"", 12 * time.Second, "/"},
			{"snap max_age=1m", 0, "cold 0 / 0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := start(t, func(o *node.Options, c *testkit.Camera) {
					c.Warmup, c.Prof.Caps, o.Size = 300*time.Millisecond, []string{camera.CapSize}, wire.Size{Width: 1280, Height: 720}
				})
				b.broker.take()
				for i, s := range steps {
					for _, c := range strings.Split(s.say, "; ") {
						if c != "" {
							b.say("porch/cmd", c)
						}
					}
					b.pass(s.pass)
					if got := told(t, b.broker.take()); got != s.want {
						t.Errorf("step %d (%s): %q, want %q", i, s.say, got, s.want)
					}
				}
				b.end()
			})
		})
	}
}

// TestTookCoversSettling opens a real source whose first pictures are left out.
func TestTookCoversSettling(t *testing.T) {
	source, err := camera.Open("test:64x48?fps=10", camera.Options{Settle: 5 * time.Second}, testcard.Kind())
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, _ *testkit.Camera) { o.Source, o.Settings = source, settings(t, "keep_warm=1m") })
		b.broker.take()
		b.say("porch/cmd", "start for=1h") // keeps a source open that costs nothing to open
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		if got := told(t, b.broker.take()); got != "cold 300 / 300 300" {
			t.Errorf("settling after three pictures of 100 ms: %q", got)
		}
		b.pass(50 * time.Millisecond)
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		if got := told(t, b.broker.take()); got != "warm 50 / 50" {
			t.Errorf("once settled: %q", got)
		}
		b.end()
	})
}

// TestStateWarm follows state through openings that work and that do not.
func TestStateWarm(t *testing.T) {
	gone := &camera.Error{Code: camera.NoCamera, Text: "gone"}
	bubble(t, func(t *testing.T) {
		b := start(t, func(_ *node.Options, c *testkit.Camera) { c.Warmup = 3 * time.Second })
		warm := func(when string, want bool) {
			t.Helper()
			if s := state(t, b.broker.take()); s.Warm != want {
				t.Errorf("%s: warm %v, want %v", when, s.Warm, want)
			}
		}
		warm("at the start", false)
		for range 2 { // the second time nothing else changes with the first picture
			b.say("porch/cmd", "start for=1h viewer=w")
			b.pass(2 * time.Second)
			warm("while it opens", false)
			b.pass(3 * time.Second)
			warm("once a picture has come", true)
			b.say("porch/cmd", "stop viewer=w")
			b.pass(9 * time.Second)
			warm("while it lingers", true)
			b.pass(3 * time.Second)
			warm("closed", false)
		}
		b.camera.Break(gone)
		b.say("porch/cmd", "snap")
		b.pass(2 * time.Second)
		warm("an opening that failed", false)
		b.camera.Break(nil)
		b.say("porch/cmd", "snap")
		b.pass(5 * time.Second)
		got := b.broker.take()
		if s := state(t, got); !s.Warm || told(t, got) != "cold 3000 / 3000" {
			t.Errorf("after an opening that failed: warm %v, %s", s.Warm, told(t, got))
		}
		b.camera.Break(gone) // while it is open
		b.pass(2 * time.Second)
		warm("pulled out", false)
		b.camera.Break(nil)
		b.camera.Hang(true)
		b.say("porch/cmd", "start for=1h")
		b.pass(30 * time.Second)
		warm("open and silent", false)
		b.end()
	})
}

// TestBrokenPicturesAreSaid: a camera whose pictures are all dropped before they
// come here is stalled, and the text says why; stats count them.
func TestBrokenPicturesAreSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, _ *testkit.Camera) { o.StatsEvery = 10 * time.Second })
		b.camera.Sift(7, "of earlier")
		b.say("porch/cmd", "start for=1h")
		b.pass(5 * time.Second)
		b.camera.Hang(true)
		b.camera.Sift(23, "at byte 99: got a code that no Huffman table has")
		b.broker.take()
		b.pass(6 * time.Second)
		got := b.broker.take()
		s := state(t, got)
		want := "no whole picture for 3s: 23 came that were broken, the last: at byte 99: got a code that no Huffman table has"
		if s.Error == nil || s.Error.Code != wire.Stalled || s.Error.Text != want {
			t.Errorf("state %+v, want stalled: %s", s.Error, want)
		}
		b.camera.Sift(1, "at byte 7: got another")
		b.pass(5 * time.Minute) // it is tried again and again, and always the same is wrong
		if n := len(events(t, b.broker.take())); n != 0 {
			t.Errorf("%d more events of one long stall, want none", n)
		}
		stats := of(got, wire.KindStats)
		var x wire.Stats
		if len(stats) != 1 || json.Unmarshal(stats[0].Payload, &x) != nil || x.Broken != 30 {
			t.Errorf("%d stats with %d broken pictures, want 30", len(stats), x.Broken)
		}
		b.end()
	})
}

// TestHugePicture: a few hundred bytes that claim 30,000 x 30,000 pixels are not
// published, whatever camera they come from.
func TestHugePicture(t *testing.T) {
	pic := testkit.JPEG(t, 64, 48, 1, 0)
	at := bytes.Index(pic, []byte{0xff, 0xc0})
	copy(pic[at+5:], []byte{0x75, 0x30, 0x75, 0x30})
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			c.Picture = func(int) []byte { return pic }
			o.StatsEvery = 30 * time.Second
		})
		b.say("porch/cmd", "snap")
		b.pass(31 * time.Second)
		got := b.broker.take()
		for _, m := range got {
			if bytes.HasPrefix(m.Payload, []byte{0xff, 0xd8}) {
				t.Fatalf("%s got the picture", m.Topic)
			}
		}
		r := results(t, got)
		if len(r) != 1 || r[0].OK || !strings.Contains(r[0].Text, "got 30000x30000 pixels, want a picture of 50 megapixels or less") {
			t.Errorf("results %+v, want the reason", r)
		}
		var x wire.Stats
		if err := json.Unmarshal(of(got, wire.KindStats)[0].Payload, &x); err != nil || x.Broken == 0 {
			t.Errorf("stats count %d broken pictures, %v", x.Broken, err)
		}
		b.end()
	})
}
