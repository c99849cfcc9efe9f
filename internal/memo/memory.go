package memo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"

	"camqtt/internal/securefile"
)

// settingsSuffix ends the names of files of settings made over MQTT.
const settingsSuffix = ".settings"

// maxMemory is the largest file of settings that is read, in bytes.
const maxMemory = 64 << 10

func (p *Privacy) memoryFile() string {
	return filepath.Join(p.folder, string(p.id)+settingsSuffix)
}

// Settings returns what SetSettings was given last, nil when nothing.
func (p *Privacy) Settings() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, err := securefile.Open(p.memoryFile())
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, nil
	case err != nil:
		return nil, err
	}
	defer f.Close() // only read from
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no ordinary file", p.memoryFile())
	}
	if err := securefile.CheckOwner(p.memoryFile(), st); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxMemory+1))
	if err == nil && len(b) > maxMemory {
		err = fmt.Errorf("%s has more than %d bytes", p.memoryFile(), maxMemory)
	}
	return b, err
}

// SetSettings remembers b. The error says what to do.
func (p *Privacy) SetSettings(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := makeFolder(p.folder)
	if err == nil {
		err = securefile.Replace(p.memoryFile(), b)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w. Try: %s", p.memoryFile(), reason(err), another)
	}
	return nil
}
