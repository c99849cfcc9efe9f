package broker

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"camqtt/broker/internal/messagestore"
)

// Where a broker's data folder has what, for tests that look into it.
const (
	retainedFile  = "retained"
	pictureFolder = "pictures"
	pictureSuffix = ".picture"
	damagedSuffix = ".damaged"
)

// onDisk gives the messages that a data folder holds, also while a broker uses it.
func onDisk(t testing.TB, dir string) map[string]messagestore.Message {
	t.Helper()
	copied := t.TempDir()
	for _, pattern := range []string{retainedFile, filepath.Join(pictureFolder, "*"+pictureSuffix)} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // replaced or removed meanwhile
			}
			to := filepath.Join(copied, name[len(dir):])
			if err := errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, text, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	damaged := func(file string, why error) { t.Errorf("%s on disk: %v", file, why) }
	s, err := messagestore.Open(copied, messagestore.Options{MessageBytes: 1 << 20, PictureBytes: 4 << 20, Damaged: damaged, Foreign: damaged})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all := map[string]messagestore.Message{}
	err = s.Load(func(m messagestore.Message) error {
		if all[m.Topic] = m; len(m.Payload) == 0 {
			delete(all, m.Topic)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
