package privacystore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"camqtt/internal/securefile"
	"camqtt/internal/wire"
)

const (
	maxPrivate  = 4096     // bytes read of the file that says that a camera is private
	maxSettings = 64 << 10 // bytes of the largest file of settings that is read
)

// Store keeps the privacy and the settings of one camera. The camera is private while the file
// ID.private exists: no damage to its content opens the camera. Make a Store with [New].
type Store struct {
	id                        wire.ID
	folder, private, settings string // names

	mu      sync.Mutex
	release func() // of the lock of private, held from when that file exists; nil: not held
}

// New returns the store of one camera in a folder, which need not exist: nothing is
// read or written yet.
func New(folder string, id wire.ID) *Store {
	if abs, err := filepath.Abs(folder); err == nil {
		folder = abs // its errors are read in other places
	}
	file := filepath.Join(folder, string(id))
	return &Store{id: id, folder: folder, private: file + ".private", settings: file + ".settings"}
}

// Private reports whether the camera is private. An error says what to do, and means that the
// camera has to be taken for private.
func (s *Store) Private() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	exists, err := s.exists()
	hint := anotherFolder
	if exists {
		// From now on no other process removes it. A lock that fails is tried again by SetPrivate.
		_ = s.lock()
		err, hint = s.check(), "switch privacy off, or remove that file and start again"
	}
	if err != nil {
		return true, fmt.Errorf("the camera is private to be safe: %w", advise(err, hint))
	}
	return exists, nil
}

// SetPrivate keeps that the camera is private, or that it is not. When it returns
// nil, neither a crash of the program nor of the machine changes that. Otherwise the
// error says what to do; a camera that was private then still is.
func (s *Store) SetPrivate(on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	change := s.remove
	if on {
		change = s.write
	}
	err := change()
	if errors.Is(err, securefile.ErrLocked) { // each program would undo what the other keeps
		return fmt.Errorf("another camqtt here uses %s for a camera of its own. Try: %s", s.private, anotherFolder)
	}
	return err
}

func (s *Store) write() error {
	err := makeFolder(s.folder)
	if err == nil {
		err = s.lock()
	}
	if errors.Is(err, securefile.ErrLocked) {
		return err
	}
	if err == nil {
		securefile.Sweep(s.private)
		err = securefile.Replace(s.private, s.content())
	}
	check := s.check()
	switch {
	case check == nil: // also where the disk has become read-only since it was written
		return nil
	case err == nil: // another user may be able to remove it
		err = check
	}
	return fmt.Errorf("write %s: %w", s.private, advise(reason(err), anotherFolder))
}

func (s *Store) remove() error {
	exists, err := s.exists()
	if exists {
		err = s.lock()
	}
	if errors.Is(err, securefile.ErrLocked) {
		return err
	}
	if exists && err == nil {
		err = os.Remove(s.private)
	}
	if exists && err == nil {
		if err = securefile.SyncFolder(s.folder); err != nil { // it may be back after a crash
			err = errors.Join(err, securefile.Replace(s.private, s.content()))
		}
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", s.private, advise(reason(err), "let camqtt write there, or remove it and start camqtt again"))
	}
	s.unlock()
	return nil
}

// firstLine names the camera: a copy of the file under another camera's name is noticed.
func (s *Store) firstLine() string { return "private " + string(s.id) }

// content is that of the file that says that the camera is private.
func (s *Store) content() []byte {
	return fmt.Appendf(nil, "%s\n\nWhile this file is here, camera %s is closed and refuses every picture.\n"+
		"Switch that off where the camera is shown, or with: camqtt set %[2]s privacy=off\n", s.firstLine(), s.id)
}

// exists reports whether there is a file in the place of private, whatever it is.
func (s *Store) exists() (bool, error) {
	_, err := os.Lstat(s.private) // a dangling link exists too
	if absent(err) {
		return false, nil
	}
	return err == nil, err
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

// check says what is wrong with the file private.
func (s *Store) check() error {
	content, err := read(s.private, maxPrivate)
	if err == nil && !bytes.HasPrefix(content, []byte(s.firstLine()+"\n")) {
		err = fmt.Errorf("%s is damaged: %q is not its first line", s.private, s.firstLine())
	}
	return err
}

// read reads at most so many bytes of a regular file that no other user can have put there.
func read(name string, most int64) ([]byte, error) {
	f, err := securefile.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is no ordinary file", name)
	}
	if err == nil {
		err = securefile.CheckOwner(name, st)
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// lock keeps other processes from removing the file private.
func (s *Store) lock() (err error) {
	if s.release == nil {
		s.release, err = securefile.TryLock(s.private)
	}
	return err
}

func (s *Store) unlock() {
	if s.release != nil {
		s.release()
		s.release = nil
	}
}

// Close lets another process keep the camera's privacy. What is kept stays.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlock()
}

// Settings returns what SetSettings was given last, nil when nothing.
func (s *Store) Settings() ([]byte, error) {
	b, err := read(s.settings, maxSettings+1)
	switch {
	case absent(err):
		return nil, nil
	case len(b) > maxSettings:
		return nil, fmt.Errorf("%s has more than %d bytes", s.settings, maxSettings)
	}
	return b, err
}

// SetSettings keeps b. The error says what to do.
func (s *Store) SetSettings(b []byte) error {
	err := makeFolder(s.folder)
	if err == nil {
		err = securefile.Replace(s.settings, b)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", s.settings, advise(reason(err), anotherFolder))
	}
	return nil
}

// anotherFolder is what to try where a folder will not do.
const anotherFolder = "another folder, with the key state or --state"

// reason is an error without the name of the file, which the caller has named.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// advise adds what to try.
func advise(err error, hint string) error {
	if strings.Contains(err.Error(), "Try: ") {
		return fmt.Errorf("%w; or %s", err, hint)
	}
	return fmt.Errorf("%w. Try: %s", err, hint)
}

// makeFolder makes a folder and those it is in, so that they are there after a crash.
func makeFolder(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case err == nil && !st.IsDir():
		return &fs.PathError{Op: "make folder", Path: dir, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	up := filepath.Dir(dir)
	if err := makeFolder(up); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) { // another camera was quicker
		return err
	}
	return securefile.SyncFolder(up)
}
