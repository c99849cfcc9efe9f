package messagestore

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// opened gives a store on a folder and what it has.
func opened(t testing.TB, dir string) (*Store, map[string]Message) {
	t.Helper()
	s, err := Open(dir, Options{
		MessageBytes: 1 << 20, PictureBytes: 1 << 20,
		Damaged: func(file string, why error) { t.Errorf("%s is damaged: %v", file, why) },
		Foreign: func(file string, why error) { t.Errorf("%s is foreign: %v", file, why) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	all := map[string]Message{}
	err = s.Load(func(m Message) error {
		if all[m.Topic] = m; len(m.Payload) == 0 {
			delete(all, m.Topic)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, all
}

func write(t testing.TB, s *Store, ms ...Message) {
	t.Helper()
	if _, failed, err := s.Write(ms); err != nil || len(failed) > 0 {
		t.Fatalf("write: %q, %v", failed, err)
	}
}

// TestRestart keeps what was written last of each topic, with everything that belongs to
// it, and nothing of what was removed.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s, all := opened(t, dir)
	if len(all) != 0 {
		t.Fatalf("a new folder has %v", all)
	}
	format := byte(1)
	want := map[string]Message{
		"a": {Topic: "a", Payload: []byte("new"), QoS: 1, Expiry: 1 << 40},
		"b": {Topic: "b", Payload: []byte{0, 255, '\n'}, Properties: Properties{
			ContentType: "text/plain", ResponseTopic: "r", Correlation: []byte{1, 0}, Format: &format, User: []UserProperty{{"k", "v"}, {"k", "w"}},
		}},
		"p": {Topic: "p", Payload: []byte("\xff\xd8\npicture"), Picture: true},
	}
	write(t, s, Message{Topic: "a", Payload: []byte("old")}, Message{Topic: "gone", Payload: []byte("x")}, Message{Topic: "q", Payload: []byte("q"), Picture: true})
	write(t, s, want["a"], want["b"], want["p"], Message{Topic: "gone"}, Message{Topic: "q", Picture: true})
	for range 2 { // the second time it was written anew
		s.Close()
		s, all = opened(t, dir)
		if fmt.Sprint(all) != fmt.Sprint(withFormat(want, all)) {
			t.Errorf("got %v\nwant %v", all, want)
		}
		if err := s.Compact(maps.Values(map[string]Message{"a": all["a"], "b": all["b"]})); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, logFile)); err != nil || bytes.Count(text, []byte("\n")) != 2 {
		t.Errorf("written anew it is %q, %v", text, err)
	}
}

// withFormat makes pointers equal that point to equal bytes.
func withFormat(want, got map[string]Message) map[string]Message {
	for topic, m := range want {
		if f := got[topic].Format; m.Format != nil && f != nil && *f == *m.Format {
			m.Format = f
			want[topic] = m
		}
	}
	return want
}

// TestCrashAtAnyByte cuts the log after each byte of the last change: what was written
// before is there, the change is there or not, nothing is damaged, and writing goes on.
func TestCrashAtAnyByte(t *testing.T) {
	dir := t.TempDir()
	s, _ := opened(t, dir)
	write(t, s, Message{Topic: "a", Payload: []byte("1")}, Message{Topic: "b", Payload: []byte("1")})
	name := filepath.Join(dir, logFile)
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, Message{Topic: "a", Payload: []byte("2")}, Message{Topic: "b"})
	s.Close()
	after, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(before); n <= len(after); n++ {
		for _, tail := range []string{"", strings.Repeat("\x00", 100)} {
			if err := os.WriteFile(name, append(bytes.Clone(after[:n]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			s, all := opened(t, dir)
			if a, b := string(all["a"].Payload), string(all["b"].Payload); a+b != "11" && a+b != "21" && a+b != "2" {
				t.Fatalf("cut at %d: a %q, b %q", n, a, b)
			}
			if n == len(after) && tail == "" == s.Wasteful() {
				t.Errorf("cut at %d: wasteful %v", n, s.Wasteful())
			}
			if s.Wasteful() {
				if _, failed, err := s.Write([]Message{{Topic: "c", Payload: []byte("3")}}); err == nil || len(failed) != 1 {
					t.Errorf("cut at %d: a change was written behind half a line", n)
				}
				if err := s.Compact(maps.Values(all)); err != nil {
					t.Fatal(err)
				}
			}
			write(t, s, Message{Topic: "c", Payload: []byte("3")})
			s.Close()
			s, all = opened(t, dir)
			if string(all["c"].Payload) != "3" || len(all["a"].Payload) == 0 {
				t.Errorf("cut at %d, after another change: %v", n, all)
			}
			s.Close()
		}
	}
}

// TestCostFollowsTheChange changes a few of many messages again and again: what is written
// is a small multiple of what changed, and the log stays a small multiple of what there is.
func TestCostFollowsTheChange(t *testing.T) {
	dir := t.TempDir()
	s, _ := opened(t, dir)
	r := rand.New(rand.NewPCG(1, 2))
	now := map[string]Message{}
	for i := range 500 {
		topic := fmt.Sprint("camera/", i)
		now[topic] = Message{Topic: topic, Payload: bytes.Repeat([]byte("info "), 400)}
	}
	write(t, s, slices.Collect(maps.Values(now))...)
	written, changed := int64(0), int64(0)
	for range 800 {
		m := Message{Topic: fmt.Sprint("camera/", r.IntN(500)), Payload: fmt.Appendf(nil, "%0*d", 1+r.IntN(4000), 1)}
		now[m.Topic] = m
		before := s.log.size
		if s.Wasteful() {
			if err := s.Compact(maps.Values(now)); err != nil {
				t.Fatal(err)
			}
			written, before = written+s.log.size, s.log.size
		}
		write(t, s, m)
		written, changed = written+s.log.size-before, changed+int64(len(m.Payload))
		live := int64(0)
		for _, m := range now {
			live += int64(len(m.Payload)) + 60
		}
		if s.log.size > 4*live+2*slack {
			t.Fatalf("%d bytes of log for %d of messages", s.log.size, live)
		}
	}
	if written > 3*changed {
		t.Errorf("%d bytes written for %d that changed", written, changed)
	}
}

// TestFolderIsHeld refuses a second store on one folder.
func TestFolderIsHeld(t *testing.T) {
	dir := t.TempDir()
	s, _ := opened(t, dir)
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second store: %v", err)
	}
	s.Close()
	again, _ := opened(t, dir)
	again.Close()
}

func FuzzParseLine(f *testing.F) {
	format := byte(1)
	for _, m := range []Message{
		{Topic: "cam/front/status", Payload: []byte("offline")},
		{Topic: "cam/front/snapshot", Payload: []byte("abc"), Picture: true},
		{Topic: "b", Payload: []byte{0, 255}, Properties: Properties{Format: &format, User: []UserProperty{{"k", "v"}}}},
		{Topic: "gone"},
	} {
		text, err := line(&m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimSuffix(text, []byte("\n")), []byte("abc"))
	}
	f.Fuzz(func(t *testing.T, text, body []byte) {
		m, err := parseLine(text, body)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("%v is not damage", err)
			}
			return
		}
		again, err := line(&m)
		if err != nil {
			t.Fatal(err)
		}
		m2, err := parseLine(bytes.TrimSuffix(again, []byte("\n")), m.Payload)
		if err != nil || m2.Topic != m.Topic || !bytes.Equal(m2.Payload, m.Payload) {
			t.Fatalf("%q became %q, %v", m.Topic, m2.Topic, err)
		}
	})
}

// TestDamagedLogStays reads a damaged log twice, as after a crash right behind the start:
// the second time everything that is whole is there as well.
func TestDamagedLogStays(t *testing.T) {
	dir := t.TempDir()
	s, _ := opened(t, dir)
	for _, topic := range []string{"a", "b", "c"} {
		write(t, s, Message{Topic: topic, Payload: []byte("x")})
	}
	s.Close()
	name := filepath.Join(dir, logFile)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte{'\n'})
	lines[1][0] ^= 1
	if err := os.WriteFile(name, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		damaged := 0
		s, err := Open(dir, Options{
			MessageBytes: 1 << 20, PictureBytes: 1 << 20,
			Damaged: func(string, error) { damaged++ }, Foreign: func(string, error) { damaged++ },
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := s.Load(func(m Message) error { got = append(got, m.Topic); return nil }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, []string{"a", "c"}) || damaged != 1 || !s.Wasteful() {
			t.Errorf("got %q and %d files damaged, to be written anew: %v; want a and c, 1, true", got, damaged, s.Wasteful())
		}
		kept, err := os.ReadFile(name + damagedSuffix)
		if err != nil || !bytes.Equal(kept, bytes.Join(lines, nil)) {
			t.Errorf("the damaged log is not kept: %v", err)
		}
		s.Close()
	}
}

// TestEarlierFile reads a file as versions before the log have written it, and goes on in
// it.
func TestEarlierFile(t *testing.T) {
	dir := t.TempDir()
	text := ""
	for _, j := range []string{
		`{"topic":"cam/front/status","text":"offline","qos":1}`,
		`{"topic":"props","data":"AP8K","expiry":4102444800,"content_type":"text/plain","payload_format":1,"user":[{"k":"k","v":"v"}]}`,
	} {
		text += fmt.Sprintf("%08x %s\n", crc32.ChecksumIEEE([]byte(j)), j)
	}
	if err := os.WriteFile(filepath.Join(dir, logFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, all := opened(t, dir)
	p := all["props"]
	if len(all) != 2 || string(all["cam/front/status"].Payload) != "offline" || all["cam/front/status"].QoS != 1 ||
		string(p.Payload) != "\x00\xff\n" || p.ContentType != "text/plain" || *p.Format != 1 || p.User[0].Value != "v" {
		t.Errorf("got %v", all)
	}
	write(t, s, Message{Topic: "cam/front/status", Payload: []byte("online")})
	s.Close()
	if _, all = opened(t, dir); string(all["cam/front/status"].Payload) != "online" || len(all) != 2 {
		t.Errorf("after a change: %v", all)
	}
}
