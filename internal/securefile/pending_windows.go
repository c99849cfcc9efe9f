package securefile

import (
	"os"
	"path/filepath"
)

// pendingFile is a temporary file beside the file that it is to replace. Library renameio
// does not support Windows, where a rename replaces a file but does so not atomically.
type pendingFile struct {
	*os.File
	target string
}

func createPending(name string, _ bool) (*pendingFile, error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name))
	if err != nil {
		return nil, err
	}
	return &pendingFile{f, name}, nil
}

func (p *pendingFile) Cleanup() error {
	_ = p.Close()
	return os.Remove(p.Name())
}

func (p *pendingFile) CloseAtomicallyReplace() error {
	if err := p.Sync(); err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return err
	}
	return os.Rename(p.Name(), p.target)
}
