package broker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"

	"github.com/mochi-mqtt/server/v2/packets"
)

// kept gives what a fresh client finds retained.
func kept(t *testing.T, b *running, filter string) []string {
	t.Helper()
	c := join(t, b.addr, "kept", 5)
	c.subscribe(t, 0, filter)
	out := c.drained(t)
	slices.Sort(out)
	return out
}

func TestStoreSurvivesRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "broker")
	b := start(t, Options{Data: dir, Base: "site/cam"})
	pub := join(t, b.addr, "pub", 5)
	jpeg := append([]byte{0xff, 0xd8, '\n', 0}, bytes.Repeat([]byte("x"), 5000)...)
	for _, m := range []struct {
		topic   string
		payload []byte
	}{
		{"site/cam/front/status", []byte("online")},
		{"site/cam/shed/status", []byte("sleeping")},
		{"site/cam/front/snapshot", jpeg},
		{"site/cam/front/preview", jpeg[:100]},
		{"site/cam/front/frame", jpeg},
		{"binary", []byte{0, 0xff, '\n'}},
		{"gone", []byte("x")},
		{"gone", nil},
	} {
		pub.publish(t, m.topic, m.payload, 0, true)
	}
	_ = pub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, TopicName: "props", Payload: []byte("p"), Properties: packets.Properties{
		ContentType: "text/plain", PayloadFormat: 1, PayloadFormatFlag: true, User: []packets.UserProperty{{Key: "k", Val: "v"}}, MessageExpiryInterval: 1000,
	}})
	pub.sync(t)
	b.stop()
	for _, f := range []string{dir, filepath.Join(dir, retainedFile)} {
		if st, err := os.Stat(f); err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v, wanted nothing for others", f, st.Mode(), err)
		}
	}

	b = start(t, Options{Data: dir, Base: "site/cam"})
	want := []string{
		"binary=\x00\xff\n", "props=p",
		"site/cam/front/preview=" + string(jpeg[:100]), "site/cam/front/snapshot=" + string(jpeg),
		"site/cam/front/status=offline", "site/cam/shed/status=sleeping",
	}
	if got := kept(t, b, "#"); !slices.Equal(got, want) {
		t.Errorf("after the restart: %.60q, wanted %.60q", got, want)
	}
	c := join(t, b.addr, "c", 5)
	c.subscribe(t, 0, "props")
	p := c.message(t).Properties
	if p.ContentType != "text/plain" || !p.PayloadFormatFlag || len(p.User) != 1 || p.MessageExpiryInterval < 900 || p.MessageExpiryInterval > 1000 {
		t.Errorf("properties %+v", p)
	}
}

// A kill leaves the files as they are at that moment; so does copying them.
func TestStoreWritesInTimeAndOnlyChanges(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Options{Data: dir, Limits: Limits{StoreEvery: 20 * time.Millisecond}})
	pub := join(t, b.addr, "pub", 4)
	pub.publish(t, "a", []byte("1"), 0, true)
	pub.publish(t, "cam/front/snapshot", make([]byte, 3000), 0, true)
	testkit.Until(t, "both written", func() bool { return b.Stats().StoreWrites == 2 })
	killed := t.TempDir()
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		pub.publish(t, "a", []byte("1"), 0, true)                         // as before
		pub.publish(t, "live", []byte("1"), 0, false)                     // not retained
		pub.publish(t, "cam/front/frame", make([]byte, 3000), 0, true)    // never retained
		pub.publish(t, "cam/front/preview", make([]byte, 3000), 0, false) // live
		pub.publish(t, "never/there", nil, 0, true)                       // nothing to remove
		pub.sync(t)
		<-time.After(5 * time.Millisecond)
	}
	if n := b.Stats().StoreWrites; n != 2 {
		t.Errorf("%d writes although nothing changed, wanted 2", n)
	}
	pub.publish(t, "cam/front/snapshot", nil, 0, true)
	testkit.Until(t, "picture removed", func() bool {
		left, _ := filepath.Glob(filepath.Join(dir, pictureFolder, "*"))
		return len(left) == 0
	})
	again := start(t, Options{Data: killed})
	if got := kept(t, again, "#"); len(got) != 2 || got[0] != "a=1" {
		t.Errorf("after a kill: %.40q, wanted a and the snapshot", got)
	}
}

// A file is replaced, never written to: what was there stays whole until the moment
// when the new one is.
func TestStoreReplacesFiles(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Options{Data: dir, Limits: Limits{StoreEvery: 10 * time.Millisecond, StoreSlow: 10 * time.Millisecond}})
	pub := join(t, b.addr, "pub", 4)
	write := func(n int64) {
		pub.publish(t, "a", fmt.Append(nil, "value ", n), 0, true)
		pub.publish(t, "cam/front/snapshot", fmt.Append(nil, "picture ", n), 0, true)
		pub.sync(t)
		testkit.Until(t, "both written", func() bool { return b.Stats().StoreWrites >= 2*n })
	}
	write(1)
	pictures, _ := filepath.Glob(filepath.Join(dir, pictureFolder, "*"+pictureSuffix))
	for _, name := range pictures {
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		old, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		defer func() {
			if text, err := io.ReadAll(old); err != nil || !bytes.Equal(text, before) {
				t.Errorf("%s was written to: %.40q, %v", filepath.Base(name), text, err)
			}
			if after, err := os.ReadFile(name); err != nil || bytes.Equal(after, before) {
				t.Errorf("%s was not replaced: %.40q, %v", filepath.Base(name), after, err)
			}
		}()
	}
	write(2)
}

// What is damaged is set aside, the rest is kept, and nothing stops the start.
func TestStoreDamage(t *testing.T) {
	fresh := t.TempDir()
	b := start(t, Options{Data: fresh})
	pub := join(t, b.addr, "pub", 4)
	for i := range 5 {
		pub.publish(t, fmt.Sprint("m/", i), fmt.Append(nil, "value ", i), 0, true)
	}
	pub.publish(t, "cam/front/snapshot", bytes.Repeat([]byte("s"), 3000), 0, true)
	pub.publish(t, "cam/front/preview", bytes.Repeat([]byte("p"), 3000), 0, true)
	pub.sync(t)
	b.stop()
	pictures, err := filepath.Glob(filepath.Join(fresh, pictureFolder, "*"+pictureSuffix))
	if err != nil || len(pictures) != 2 {
		t.Fatalf("pictures %q, %v", pictures, err)
	}
	picture := filepath.Join(pictureFolder, filepath.Base(pictures[0]))
	flip := func(b []byte, at int) []byte { b[at] ^= 4; return b }
	for name, tc := range map[string]struct {
		file string
		harm func([]byte) []byte
		left int // of seven messages
	}{
		"line flipped":      {retainedFile, func(b []byte) []byte { return flip(b, bytes.Index(b, []byte("value 2"))) }, 6},
		"sum flipped":       {retainedFile, func(b []byte) []byte { return flip(b, 3) }, 6},
		"cut":               {retainedFile, func(b []byte) []byte { return append(b[:len(b)-5], '\n') }, 6},
		"end never written": {retainedFile, func(b []byte) []byte { return b[:len(b)-5] }, 6},
		"empty":             {retainedFile, func([]byte) []byte { return nil }, 2},
		"garbage":           {retainedFile, func([]byte) []byte { return bytes.Repeat([]byte{0xfe}, 10000) }, 2},
		"newlines":          {retainedFile, func([]byte) []byte { return bytes.Repeat([]byte{'\n'}, 100) }, 2},
		"picture flipped":   {picture, func(b []byte) []byte { return flip(b, len(b)-1) }, 6},
		"picture cut":       {picture, func(b []byte) []byte { return b[:50] }, 6},
		"picture empty":     {picture, func([]byte) []byte { return nil }, 6},
		"picture too long":  {picture, func(b []byte) []byte { return append(b, make([]byte, 4<<20)...) }, 6},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(fresh)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, tc.file)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, tc.harm(data), 0o600); err != nil {
			t.Fatal(err)
		}
		b := start(t, Options{Data: dir})
		if got := kept(t, b, "#"); len(got) != tc.left {
			t.Errorf("%s: %d messages left, wanted %d: %.30q", name, len(got), tc.left, got)
		}
		b.stop()
		harmless := name == "empty" || name == "end never written"
		if _, err := os.Stat(file + damagedSuffix); (err == nil) == harmless {
			t.Errorf("%s: set aside: %v", name, err)
		}
		b = start(t, Options{Data: dir})
		if got := kept(t, b, "#"); len(got) != tc.left {
			t.Errorf("%s: %d messages after another restart, wanted %d", name, len(got), tc.left)
		}
		if n := b.Stats().StoreErrors; n != 0 {
			t.Errorf("%s: %d errors at another restart", name, n)
		}
		b.stop()
	}
}

// What cannot be written is written later.
func TestStoreRetries(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Options{Data: dir, Limits: Limits{StoreEvery: 10 * time.Millisecond}})
	pub := join(t, b.addr, "pub", 4)
	in := filepath.Join(dir, retainedFile)
	if err := os.MkdirAll(filepath.Join(in, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	pub.publish(t, "a", []byte("1"), 0, true)
	testkit.Until(t, "a failed write", func() bool { return b.Stats().StoreErrors > 1 })
	if err := os.RemoveAll(in); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "a write", func() bool { return b.Stats().StoreWrites == 1 })
	if left, _ := filepath.Glob(filepath.Join(dir, "."+retainedFile+"*")); len(left) != 0 {
		t.Errorf("left half-written: %q", left)
	}
}

func TestStoreNeedsItsFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := New(Options{Data: filepath.Join(file, "data"), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Serve(context.Background()); err == nil || !strings.Contains(err.Error(), "make folder") {
		t.Errorf("Serve: %v, wanted that the folder cannot be made", err)
	}
}

// The largest bounds that can be configured keep the store over a restart, also where int
// has 32 bits.
func TestStoreOfLargestBounds(t *testing.T) {
	dir := t.TempDir()
	limits := Limits{RetainedBytes: 1 << 30, RetainedMessage: 256<<20 - 1, Packet: 256<<20 - 1, QueueBytes: 1 << 30}
	b := start(t, Options{Data: dir, Limits: limits})
	pub := join(t, b.addr, "pub", 4)
	pub.publish(t, "a", []byte("1"), 1, true)
	pub.publish(t, "cam/front/snapshot", bytes.Repeat([]byte("s"), 3000), 0, true)
	pub.want(t, packets.Puback)
	pub.sync(t)
	b.stop()
	b = start(t, Options{Data: dir, Limits: limits})
	if got := kept(t, b, "#"); len(got) != 2 {
		t.Errorf("after the restart: %.40q, wanted both", got)
	}
	if n := b.Stats().StoreErrors; n != 0 {
		t.Errorf("%d errors of the store", n)
	}
}

// Wills of clients that are online when the broker stops are kept, also delayed ones.
func TestShutdownKeepsWills(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Options{Data: dir})
	cam := join(t, b.addr, "front", 4, withWill("cam/front/status", "offline", true))
	cam.publish(t, "cam/front/status", []byte("online"), 1, true)
	cam.want(t, packets.Puback)
	late := join(t, b.addr, "late", 5, withWill("other/late", "gone", true), persistent(1000), func(p *packets.Packet) { p.Connect.WillProperties.WillDelayInterval = 500 })
	_ = late.c.Close()
	testkit.Until(t, "late has gone", func() bool { return b.Stats().Clients == 1 })
	b.stop()
	got := onDisk(t, dir)
	for topic, want := range map[string]string{"cam/front/status": "offline", "other/late": "gone"} {
		if m := got[topic]; string(m.Payload) != want {
			t.Errorf("%s on disk: %q, wanted %q", topic, m.Payload, want)
		}
	}
}
