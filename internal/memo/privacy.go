package memo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"camqtt/internal/securefile"
	"camqtt/internal/wire"
)

// suffix ends the names of files that say that a camera is private.
const suffix = ".private"

// maxFile is more than such a file ever has, in bytes.
const maxFile = 4096

// Privacy remembers of one camera whether it is private. It is while there is a file,
// FOLDER/ID.private: nothing that happens to what is in that file opens the camera.
// Make one with [New].
type Privacy struct {
	id     wire.ID
	folder string
	file   string

	mu      sync.Mutex
	release func() // of the file's lock, held from when the file is there; nil: not held
}

// New returns the memory of one camera in a folder, which need not exist: nothing is
// read or written yet.
func New(folder string, id wire.ID) *Privacy {
	if abs, err := filepath.Abs(folder); err == nil {
		folder = abs // texts about it are read elsewhere
	}
	return &Privacy{id: id, folder: folder, file: filepath.Join(folder, string(id)+suffix)}
}

// another is what to try where a folder will not do.
const another = "another folder, with the key state or --state"

// distrust says why somebody else could have put the file there, and what to do.
type distrust struct{ error }

func (d distrust) Unwrap() error { return d.error }

// head is the first line of the file. It says whose it is, so that a copy under
// another camera's name is found out.
func (p *Privacy) head() string { return "private " + string(p.id) + "\n" }

// text is the file.
func (p *Privacy) text() []byte {
	return []byte(p.head() + "\nWhile this file is here, camera " + string(p.id) + " is closed and refuses every picture.\n" +
		"Switch that off where the camera is shown, or with: camqtt set " + string(p.id) + " privacy=off\n")
}

// Private reports whether the camera is private. When that cannot be read it returns
// an error that says what to do, and the camera has to be taken for private.
func (p *Privacy) Private() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	there, err := p.there()
	if err != nil {
		return true, fmt.Errorf("the camera is private to be safe: %w. Try: %s", err, another)
	}
	if !there {
		return false, nil
	}
	// From now on nobody else takes it away. Who cannot hold it now tries when he needs to.
	_ = p.hold()
	err = p.check()
	switch {
	case errors.As(err, new(distrust)):
		return true, fmt.Errorf("the camera is private to be safe: %w; or switch privacy off", err)
	case err != nil:
		return true, fmt.Errorf("the camera is private to be safe: %w. Try: switch privacy off, or remove that file and start again", err)
	}
	return true, nil
}

// there reports whether there is a file, whatever it is.
func (p *Privacy) there() (bool, error) {
	_, err := os.Lstat(p.file) // a link that leads nowhere is there too
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return false, nil
	}
	return false, err
}

// check says what is wrong with the file.
func (p *Privacy) check() error {
	f, err := securefile.Open(p.file)
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	st, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !st.Mode().IsRegular():
		return fmt.Errorf("%s is no ordinary file", p.file)
	}
	if err := securefile.CheckOwner(p.file, st); err != nil {
		return distrust{err}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	switch {
	case err != nil:
		return err
	case !bytes.HasPrefix(text, []byte(p.head())):
		return fmt.Errorf("%s is damaged: %q is not its first line", p.file, p.head()[:len(p.head())-1])
	}
	return nil
}

// SetPrivate remembers that the camera is private, or that it is not. When it returns
// nil, neither a crash of the program nor of the machine changes that. Otherwise the
// error says what to do; a camera that was private then still is.
func (p *Privacy) SetPrivate(on bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on {
		return p.set()
	}
	return p.unset()
}

func (p *Privacy) set() error {
	if err := makeFolder(p.folder); err != nil {
		return p.unwritten(err)
	}
	err := p.hold()
	if errors.Is(err, securefile.ErrLocked) {
		return p.shared()
	}
	if err == nil {
		securefile.Sweep(p.file)
		err = securefile.Replace(p.file, p.text())
	}
	trust := p.check() // somebody else may be able to take it away
	switch {
	case trust == nil: // also where it was there before and the disk has been made read-only since
		return nil
	case err == nil:
		err = trust
	}
	return p.unwritten(err)
}

func (p *Privacy) unset() error {
	there, err := p.there()
	if err == nil && there {
		err = p.hold()
	}
	switch {
	case errors.Is(err, securefile.ErrLocked):
		return p.shared()
	case err != nil:
		return p.undeleted(err)
	}
	if there {
		if err := p.remove(); err != nil {
			return p.undeleted(err)
		}
	}
	p.letGo()
	return nil
}

// remove removes the file for good, or leaves one there.
func (p *Privacy) remove() error {
	if err := os.Remove(p.file); err != nil {
		return err
	}
	if err := securefile.SyncFolder(p.folder); err != nil {
		return errors.Join(err, securefile.Replace(p.file, p.text()))
	}
	return nil
}

// hold keeps other processes from taking the file away.
func (p *Privacy) hold() error {
	if p.release != nil {
		return nil
	}
	release, err := securefile.TryLock(p.file)
	if err != nil {
		return err
	}
	p.release = release
	return nil
}

func (p *Privacy) letGo() {
	if p.release != nil {
		p.release()
		p.release = nil
	}
}

// Close lets another process remember for the camera. What is remembered stays.
func (p *Privacy) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.letGo()
}

// unwritten and undeleted are short: people read them where there is little room.
func (p *Privacy) unwritten(err error) error {
	if errors.As(err, new(distrust)) {
		return err
	}
	return fmt.Errorf("write %s: %w. Try: %s", p.file, reason(err), another)
}

func (p *Privacy) undeleted(err error) error {
	return fmt.Errorf("remove %s: %w. Try: let camqtt write there, or remove it and start camqtt again", p.file, reason(err))
}

// reason is why something could not be done with a file, without the file's name.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// shared is about two programs that would each undo what the other remembers.
func (p *Privacy) shared() error {
	return fmt.Errorf("another camqtt here uses %s for a camera of its own. Try: %s", p.file, another)
}

// makeFolder makes a folder and those it is in, so that they are there after a crash.
func makeFolder(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case err == nil && st.IsDir():
		return nil
	case err == nil:
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
