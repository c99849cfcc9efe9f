package session

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSessionKey makes a key once and never replaces one.
func TestSessionKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "session.key")
	first, err := OpenKey(file)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v, want mode 0600", st.Mode(), err)
	}
	if again, err := OpenKey(file); err != nil || again.key != first.key {
		t.Errorf("another key the second time: %v", err)
	}
	for name, text := range map[string]string{"empty": "", "short": "c2hvcnQ=\n", "no base64": strings.Repeat("!", 44)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKey(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
		if kept, err := os.ReadFile(file); err != nil || string(kept) != text {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}

// FuzzSessionToken feeds what browsers may show.
func FuzzSessionToken(f *testing.F) {
	k := newKey()
	now := time.Now()
	good := token{ID: []byte("0123456789abcdef"), Name: "ann", Stamp: "s", Born: now.Unix(), Until: now.Add(time.Hour).Unix()}
	text := k.seal(good)
	f.Add(text)
	f.Add(newKey().seal(good))
	f.Add(".")
	f.Add(strings.Replace(text, ".", "..", 1))
	f.Fuzz(func(t *testing.T, cookie string) {
		if got, err := k.open(cookie, now); err == nil && (cookie != text || got.Name != "ann") {
			t.Errorf("%q is taken for a session of %q", cookie, got.Name)
		}
	})
}
