//go:build !windows

package securefile

import (
	"path/filepath"

	"github.com/google/renameio/v2"
)

// createPending opens a temporary file beside the file that it is to replace.
func createPending(name string, private bool) (*renameio.PendingFile, error) {
	o := []renameio.Option{renameio.WithTempDir(filepath.Dir(name))}
	if private {
		o = append(o, renameio.WithStaticPermissions(0o600))
	} else {
		o = append(o, renameio.WithPermissions(0o666), renameio.WithExistingPermissions())
	}
	return renameio.NewPendingFile(name, o...)
}
