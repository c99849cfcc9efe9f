package messagestore

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"camqtt/internal/datadir"
	"camqtt/internal/securefile"
)

const (
	lockFile = "lock"
)

// Options say how a folder is read. All are needed.
type Options struct {
	MessageBytes int // size of an ordinary message with its topic and properties
	PictureBytes int // size of a picture with the same
	// Damaged is told of a file that was damaged and is now beside the rest, and of one
	// that is none of this store's and is left alone.
	Damaged func(file string, why error)
	Foreign func(file string, why error)
}

// Store is a folder of retained messages. Make one with [Open].
type Store struct {
	o        Options
	dir      string
	release  func() // of the folder's lock
	log      messageLog
	pictures pictures
}

// ErrForeign is what the function given to [Store.Load] wraps for a message that is none
// of this store's: its file is left alone.
var ErrForeign = errors.New("not a message of this broker")

// Open makes a folder this process's own. It reads nothing yet.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{
		o: o, dir: dir, log: messageLog{name: filepath.Join(dir, logFile)},
		pictures: pictures{dir: filepath.Join(dir, pictureFolder)},
	}
	if err := os.MkdirAll(s.pictures.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for retained messages: %w", err)
	}
	release, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	s.release = release
	if err := datadir.Mark(dir); err != nil {
		release()
		return nil, err
	}
	return s, nil
}

// Close gives the folder back.
func (s *Store) Close() {
	s.log.close()
	s.release()
}

// Load gives every message to each, in the order in which they were written; those that
// were removed since are among them, without a payload. A message that each refuses is
// damaged, or [ErrForeign].
func (s *Store) Load(each func(Message) error) error {
	securefile.Sweep(s.log.name) // others write in this folder too
	securefile.SweepFolder(s.pictures.dir)
	damage, err := s.log.load(6*int64(s.o.MessageBytes)+(64<<10), each) // JSON may take six bytes for one
	if err != nil {
		return err
	}
	if damage != nil {
		s.keepDamaged(s.log.name, damage)
	}
	s.log.live = s.log.size // it was not kept how much of it is; at worst it is written anew late
	return s.loadPictures(each)
}

func (s *Store) loadPictures(each func(Message) error) error {
	files, err := os.ReadDir(s.pictures.dir)
	if err != nil {
		return fmt.Errorf("read retained pictures: %w", err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), pictureSuffix) {
			continue
		}
		name := filepath.Join(s.pictures.dir, f.Name())
		m, err := s.pictures.read(name, int64(s.o.PictureBytes)+(64<<10))
		if err == nil {
			err = each(m)
		}
		switch {
		case err == nil:
		case errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign):
			s.setAside(name, err)
		default: // of another base, or unreadable: not ours to touch
			s.o.Foreign(name, err)
		}
	}
	return nil
}

// keepDamaged keeps the damaged log for its owner to look at. The log itself stays, with
// what is whole in it, until it is written anew.
func (s *Store) keepDamaged(name string, why error) {
	err := os.Remove(name + damagedSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = os.Link(name, name+damagedSuffix)
	}
	s.o.Damaged(name+damagedSuffix, errors.Join(why, err))
}

// setAside keeps a damaged picture for its owner to look at.
func (s *Store) setAside(name string, why error) {
	s.o.Damaged(name+damagedSuffix, errors.Join(why, os.Rename(name, name+damagedSuffix)))
}

// Write writes messages, and removes those without a payload. It returns the topics of
// what could not be written, and of what was written the number of files.
func (s *Store) Write(ms []Message) (files int, failed []string, err error) {
	var ordinary []Message
	for i := range ms {
		m := &ms[i]
		if !m.Picture {
			ordinary = append(ordinary, *m)
			continue
		}
		if bad := s.pictures.write(m); bad != nil {
			failed, err = append(failed, m.Topic), errors.Join(err, bad)
		} else if len(m.Payload) > 0 {
			files++
		}
	}
	if len(ordinary) == 0 {
		return files, failed, err
	}
	if bad := s.log.append(ordinary); bad != nil {
		for _, m := range ordinary {
			failed = append(failed, m.Topic)
		}
		return files, failed, errors.Join(err, bad)
	}
	return files + 1, failed, err
}

// Wasteful reports whether the log of ordinary messages is to be written anew.
func (s *Store) Wasteful() bool { return s.log.wasteful() }

// Compact writes the log of ordinary messages anew with all that there are.
func (s *Store) Compact(all iter.Seq[Message]) error { return s.log.compact(all) }
