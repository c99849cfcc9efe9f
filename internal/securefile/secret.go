package securefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFile is the largest secret read, in bytes.
const maxFile = 1 << 20

// ReadSecret reads a secret of at most 1 MiB. A file that others than its owner may
// read is refused with an error that says what to do; only a file of root may be
// readable by its group, which is how a service that is not root is given one.
func ReadSecret(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a folder")}
	}
	if err := checkMode(info); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%w; try: chmod 600 %s", err, name)}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("larger than %d bytes", maxFile)}
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// checkMode refuses a regular file that other users may read.
func checkMode(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return nil
	}
	if m := info.Mode().Perm(); m&forbidden(info) != 0 {
		return fmt.Errorf("others may read or change it (mode %04o), and it is a secret", m)
	}
	return nil
}

// scheme begins the name of a secret that systemd provides.
const scheme = "credential:"

// LocateSecret turns credential:NAME into the file that systemd's LoadCredential=NAME:...
// has made, below folder, which is the variable CREDENTIALS_DIRECTORY. Any other
// name stays as it is.
func LocateSecret(name, folder string) (string, error) {
	id, ok := strings.CutPrefix(name, scheme)
	switch {
	case !ok:
		return name, nil
	case id == "" || id == "." || id == ".." || strings.ContainsAny(id, `/\`):
		return "", fmt.Errorf("credential %.60q: want a name without slashes, as in systemd's LoadCredential=NAME:/path", id)
	case folder == "":
		return "", fmt.Errorf("%s%s is given by systemd, and CREDENTIALS_DIRECTORY is not set: want LoadCredential=%s:/path in the unit", scheme, id, id)
	}
	return filepath.Join(folder, id), nil
}
