package privacystore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"camqtt/internal/privacystore"
)

func TestMemory(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b")
	p := privacystore.New(folder, "porch")
	if b, err := p.Settings(); b != nil || err != nil {
		t.Errorf("at first %q, %v", b, err)
	}
	if err := p.SetSettings([]byte("text")); err != nil {
		t.Fatal(err)
	}
	if b, err := privacystore.New(folder, "porch").Settings(); string(b) != "text" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := privacystore.New(folder, "garden").Settings(); b != nil || err != nil {
		t.Errorf("another camera has %q, %v", b, err)
	}
	if on, err := p.Private(); on || err != nil {
		t.Errorf("privacy is %v, %v", on, err)
	}
	file := filepath.Join(folder, "porch.settings")
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := p.Settings(); err == nil {
		t.Errorf("%d bytes of a file that is too large", len(b))
	}
}
