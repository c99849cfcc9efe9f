package messagestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"camqtt/internal/securefile"
)

const (
	pictureFolder = "pictures"
	pictureSuffix = ".picture"
)

// pictures are the files of pictures: a line, and the bytes behind it.
type pictures struct{ dir string }

// file names a picture's file. A topic may be longer than a file's name and contain what
// a file's name may not.
func (p pictures) file(topic string) string {
	sum := sha256.Sum256([]byte(topic))
	return filepath.Join(p.dir, hex.EncodeToString(sum[:12])+pictureSuffix)
}

// read reads a picture that is not larger than could have been written.
func (p pictures) read(name string, longest int64) (m Message, err error) {
	f, err := securefile.Open(name)
	if err != nil {
		return m, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, longest+1))
	if err != nil {
		return m, err
	}
	if int64(len(data)) > longest {
		return m, fmt.Errorf("%s: more than %d bytes: %w", name, longest, ErrDamaged)
	}
	head, body, ok := bytes.Cut(data, []byte{'\n'})
	if !ok {
		return m, fmt.Errorf("no head: %w", ErrDamaged)
	}
	m, err = parseLine(head, body)
	if err == nil && !m.Picture {
		err = fmt.Errorf("no picture: %w", ErrDamaged)
	}
	return m, err
}

// write writes a picture, or removes one that has no bytes any more.
func (p pictures) write(m *Message) error {
	name := p.file(m.Topic)
	if len(m.Payload) == 0 {
		err := os.Remove(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return securefile.SyncFolder(p.dir)
	}
	head, err := line(m)
	if err != nil {
		return err
	}
	return securefile.Replace(name, head, m.Payload)
}
