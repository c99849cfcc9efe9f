// Package folder is the kind that shows the JPEG files of a folder.
package folder

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/redact"
	"camqtt/node/camera"
)

const dirFPS = 1

// dir is a source that shows the JPEG files of a folder in turn, by name:
// "dir:/path". The folder is read again at the start of each round.
type dir struct {
	path string
	log  *slog.Logger
	max  int
}

// Kind is the row of the table of kinds.
func Kind() camera.Kind {
	return camera.Kind{
		Scheme: "dir", Form: "dir:/path",
		Summary:   "the JPEG files of a folder",
		Separator: "#", Timeout: 15 * time.Second,
		Check: camera.CheckMarkers, Open: openDir,
	}
}

func openDir(rest string, o camera.Options) (camera.Source, error) {
	if rest == "" {
		return nil, camera.ConfigError("source dir: no folder given: want dir:/path/to/folder")
	}
	return &dir{path: filepath.Clean(rest), log: o.Log, max: o.MaxPicture}, nil
}

// Profile says that only the rate can be asked for.
func (d *dir) Profile() camera.Profile {
	return camera.Profile{Kind: "dir", Model: "folder", MaxFPS: camera.MaxFPS, Caps: []string{camera.CapFPS}, Instant: true}
}

// Stream shows one file per point of a steady grid of time; the first at once.
func (d *dir) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	if err := m.Check(); err != nil {
		return err
	}
	fps := m.FPS
	if fps == 0 {
		fps = dirFPS
	}
	var round []string
	return camera.Every(ctx, camera.Interval(fps), func() error {
		for fresh := false; ctx.Err() == nil; {
			if len(round) == 0 {
				if fresh {
					return &camera.Error{Code: camera.NoCamera, Text: "folder " + redact.Line(d.path) + ": none of its .jpg and .jpeg files is a whole JPEG"}
				}
				var err error
				if round, err = d.list(); err != nil {
					return err
				}
				fresh = true
			}
			name := round[0]
			round = round[1:]
			at := time.Now()
			pic, err := d.read(name)
			if err == nil {
				emit(camera.Frame{JPEG: pic, At: at})
				return nil
			}
			d.log.Warn("picture file skipped", "path", filepath.Join(d.path, name), "err", err)
		}
		return nil
	})
}

// list is the names of the folder's JPEG files in order.
func (d *dir) list() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &camera.Error{Code: camera.Config, Text: "folder " + redact.Line(d.path) + " does not exist", Err: err}
	case err != nil:
		return nil, &camera.Error{Code: camera.Config, Text: "folder " + redact.Line(d.path) + " cannot be read: " + redact.Line(cause(err)), Err: err}
	}
	var names []string
	for _, e := range entries { // sorted by name
		if ext := strings.ToLower(filepath.Ext(e.Name())); ext == ".jpg" || ext == ".jpeg" {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return nil, &camera.Error{Code: camera.NoCamera, Text: "folder " + redact.Line(d.path) + " has no .jpg or .jpeg files"}
	}
	return names, nil
}

// read is the picture in a file, without what may follow it there.
func (d *dir) read(name string) ([]byte, error) {
	path := filepath.Join(d.path, name)
	// Looked at before it is opened: opening a pipe would wait for its writer.
	if st, err := os.Stat(path); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(d.max)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > d.max {
		return nil, errors.New("larger than " + camera.ByteCount(d.max))
	}
	return whole(b)
}

// whole is the one picture that b holds from its first byte on.
func whole(b []byte) ([]byte, error) {
	in, err := jpeg.Scan(b)
	if err != nil {
		return nil, err
	}
	return b[:in.Len:in.Len], nil
}

// cause is an error's text without the path, which the reader has been told.
func cause(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
