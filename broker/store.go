package broker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"camqtt/internal/datadir"
	"camqtt/internal/private"
	"camqtt/internal/ratelog"
)

const (
	retainedFile  = "retained"
	pictureFolder = "pictures"
	pictureSuffix = ".picture"
	damagedSuffix = ".damaged"
	lockFile      = "lock"
)

// store keeps the retained messages in a folder: ordinary ones together in one file,
// each picture in one of its own, because pictures are large and change rarely. It
// writes only what changed, all at once every while, and replaces files whole, so that
// a crash loses at most what came since the last time. It is used by one goroutine.
type store struct {
	b       *Broker
	dir     string // empty: nothing is kept
	release func() // of the folder's lock
}

// openStore makes the folder and reads what it holds.
func (b *Broker) openStore() (*store, error) {
	s := &store{b: b, dir: b.data, release: func() {}}
	if s.dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(filepath.Join(s.dir, pictureFolder), 0o700); err != nil {
		return nil, fmt.Errorf("make folder for retained messages: %w", err)
	}
	release, err := lockFolder(s.dir)
	if err != nil {
		return nil, err
	}
	s.release = release
	if err := datadir.Mark(s.dir); err != nil {
		s.release()
		return nil, err
	}
	if err := s.load(); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

// load reads what the folder holds.
func (s *store) load() error {
	private.Sweep(filepath.Join(s.dir, retainedFile)) // others write in this folder too
	private.SweepFolder(filepath.Join(s.dir, pictureFolder))
	if err := s.loadMessages(); err != nil {
		return err
	}
	if err := s.loadPictures(); err != nil {
		return err
	}
	s.markOffline()
	return nil
}

// read reads a file that must not be larger than what could have been written.
func (s *store) read(name string, limit int) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("%s: more than %d bytes: %w", name, limit, errDamaged)
	}
	return data, err
}

// loadMessages reads the file of ordinary messages. Lines that are damaged are left
// out, and the file as it was is kept beside it.
func (s *store) loadMessages() error {
	name := filepath.Join(s.dir, retainedFile)
	// JSON may take six bytes for one, base64 less.
	data, err := s.read(name, 6*s.b.limits.RetainedBytes+(16<<20))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, errDamaged):
		s.setAside(name, err)
		return nil
	case err != nil:
		return fmt.Errorf("read retained messages: %w", err)
	}
	var bad error
	for n := 1; len(data) > 0; n++ {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		data = rest
		r, err := parseLine(line)
		if err == nil && !whole {
			err = fmt.Errorf("it has no end: %w", errDamaged)
		}
		var m *message
		if err == nil {
			m, err = s.b.recorded(r, nil)
		}
		if err != nil {
			bad = errors.Join(bad, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		if !m.expired(time.Now()) {
			s.b.retained.set(m)
		}
	}
	if bad != nil {
		s.setAside(name, bad)
		return nil // what was good is written again
	}
	s.b.retained.stored()
	return nil
}

// loadPictures reads the pictures.
func (s *store) loadPictures() error {
	dir := filepath.Join(s.dir, pictureFolder)
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read retained pictures: %w", err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), pictureSuffix) {
			continue
		}
		name := filepath.Join(dir, f.Name())
		m, err := s.loadPicture(name)
		switch {
		case errors.Is(err, errDamaged):
			s.setAside(name, err)
		case err != nil: // of another base, or unreadable: not ours to touch
			s.b.log.trouble("retained picture left alone", "file", name, "err", err)
		case !m.expired(time.Now()):
			s.b.retained.set(m)
			s.b.retained.storedPicture(m.topic)
		}
	}
	return nil
}

func (s *store) loadPicture(name string) (*message, error) {
	data, err := s.read(name, s.b.limits.Packet+(64<<10))
	if err != nil {
		return nil, err
	}
	line, body, ok := bytes.Cut(data, []byte{'\n'})
	if !ok {
		return nil, fmt.Errorf("no head: %w", errDamaged)
	}
	r, err := parseLine(line)
	if err != nil {
		return nil, err
	}
	return s.b.recorded(r, body)
}

// setAside keeps a damaged file for its owner to look at.
func (s *store) setAside(name string, why error) {
	s.b.count.storeErrors.Add(1)
	s.b.retained.touch()
	err := os.Rename(name, name+damagedSuffix)
	s.b.log.out.Error("retained file damaged, set aside", "file", name+damagedSuffix, "why", ratelog.Short(why), "err", err)
}

// markOffline says of every camera that was online when the broker went down that it
// is not: its will went down with the broker.
func (s *store) markOffline() {
	for _, topic := range s.b.retained.topics(s.b.base + "/+/status") {
		s.b.retained.replace(topic, "online", "offline")
	}
}

// run writes what changed, every while, until ctx is done.
func (s *store) run(ctx context.Context) {
	tick := time.NewTicker(s.b.limits.StoreEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.flush(now)
		}
	}
}

// flush writes what has waited long enough at a time; the zero time is the last, when
// nothing waits any longer. What cannot be written is tried again the next time.
func (s *store) flush(now time.Time) {
	if s.dir == "" {
		return
	}
	messages, changed := s.b.retained.takeMessages(now)
	if changed {
		if err := s.writeMessages(messages); err != nil {
			s.failed(err)
			s.b.retained.touch()
		}
	}
	for topic, m := range s.b.retained.takePictures(now) {
		err := s.writePicture(topic, m)
		if m != nil {
			m.load.drop()
		}
		if err != nil {
			s.failed(err)
			s.b.retained.touchPicture(topic)
		}
	}
}

func (s *store) failed(err error) {
	s.b.count.storeErrors.Add(1)
	s.b.log.trouble("retained messages cannot be written", "err", err)
}

func (s *store) writeMessages(ms []*message) error {
	slices.SortFunc(ms, func(x, y *message) int { return strings.Compare(x.topic, y.topic) })
	var buf bytes.Buffer
	for _, m := range ms {
		line, err := recordOf(m).line()
		if err != nil {
			return err
		}
		buf.Write(line)
	}
	return s.replaceFile(filepath.Join(s.dir, retainedFile), buf.Bytes(), nil)
}

// pictureFile names a picture's file. A topic may be longer than a file's name and
// contain what a file's name may not.
func (s *store) pictureFile(topic string) string {
	sum := sha256.Sum256([]byte(topic))
	return filepath.Join(s.dir, pictureFolder, hex.EncodeToString(sum[:12])+pictureSuffix)
}

// writePicture writes or, for nil, removes a picture.
func (s *store) writePicture(topic string, m *message) error {
	name := s.pictureFile(topic)
	if m == nil {
		err := os.Remove(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return private.SyncFolder(filepath.Dir(name))
	}
	line, err := recordOf(m).line()
	if err != nil {
		return err
	}
	return s.replaceFile(name, line, m.load.b)
}

// replaceFile puts two parts into a file, whole or not at all.
func (s *store) replaceFile(name string, first, second []byte) error {
	if err := private.Replace(name, first, second); err != nil {
		return err
	}
	s.b.count.storeWrites.Add(1)
	return nil
}
