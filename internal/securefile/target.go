package securefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is the most symbolic links that are followed, as in Linux.
const maxLinks = 40

// resolveLinks follows symbolic links and returns the name of the target, which need not
// exist. allowed is called for each link and may refuse it; nil allows all.
func resolveLinks(name string, allowed func(link string, info fs.FileInfo) error) (string, error) {
	for range maxLinks {
		info, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		if allowed != nil {
			if err := allowed(name, info); err != nil {
				return "", err
			}
		}
		to, err := os.Readlink(name)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = to
	}
	return "", &fs.PathError{Op: "open", Path: name, Err: errors.New("too many symbolic links")}
}

// kind is how a target is written.
type kind int

const (
	missing kind = iota
	regular
	special // written in place
	open    // already: written where it stands, by the name that was given
)

// resolve follows the symbolic links that a shell would follow, and returns the target and
// its kind.
func resolve(name string) (target string, k kind, err error) {
	descriptor := false // such as /dev/stdout, whose file is open already
	target, err = resolveLinks(name, func(link string, info fs.FileInfo) error {
		descriptor = descriptor || strings.HasPrefix(link, "/proc/")
		return followable(link, info)
	})
	if err != nil {
		return "", missing, err
	}
	if descriptor {
		target = name
	}
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return target, missing, nil
	case err != nil:
		return "", missing, err
	case info.IsDir():
		return "", missing, errors.New("it is a folder")
	case descriptor:
		return target, open, nil
	case !info.Mode().IsRegular():
		return target, special, nil
	}
	return target, regular, nil
}

// notRegular returns the error for a target that is not a regular file.
func notRegular(m fs.FileMode) error {
	is := "no regular file"
	switch {
	case m.IsDir():
		is = "a folder"
	case m&fs.ModeSymlink != 0:
		is = "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		is = "a named pipe"
	case m&fs.ModeSocket != 0:
		is = "a socket"
	case m&fs.ModeDevice != 0:
		is = "a device"
	}
	return fmt.Errorf("it is %s: want a regular file, or none", is)
}
