// Package inuse says which camera ids a hub has: those of its own configuration, and
// those that are online. No account is made for them, or two machines would publish under
// one id. The hub keeps the list in its data folder, where commands on the same machine
// read it. The list counts only while the hub runs.
package inuse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"camqtt/internal/securefile"
	"camqtt/internal/wire"
)

// FileName is the file of the list in a data folder.
const FileName = "in-use.json"

// ErrInUse is what [List.Check] wraps.
var ErrInUse = errors.New("the hub has this camera")

// List are the ids that a hub has.
type List struct {
	Served []wire.ID `json:"served"` // by its own configuration
	Online []wire.ID `json:"online"` // from elsewhere
}

// Check reports an id that the hub has.
func (l List) Check(ids ...wire.ID) error {
	for _, id := range ids {
		switch {
		case slices.Contains(l.Served, id):
			return fmt.Errorf("camera %s: %w: it is in the hub's own configuration, and needs no account. Try: another id", id, ErrInUse)
		case slices.Contains(l.Online, id):
			return fmt.Errorf("camera %s: %w: it is online. Try: another id, or stop the camera of this id first", id, ErrInUse)
		}
	}
	return nil
}

// Equal reports whether two lists are the same.
func (l List) Equal(o List) bool {
	return slices.Equal(l.Served, o.Served) && slices.Equal(l.Online, o.Online)
}

// retryEvery is how often a hub looks whether another one still holds its folder.
const retryEvery = 100 * time.Millisecond

// Publisher keeps the list of a hub that runs. Make one with [Hold].
type Publisher struct {
	file    string
	release func()
}

// Hold says that a hub runs with a data folder, until Release. While another hub holds the
// folder it waits, until ctx is done.
func Hold(ctx context.Context, dir string) (*Publisher, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, FileName)
	release, err := securefile.TryLock(file)
	for errors.Is(err, securefile.ErrLocked) { // also for a moment, by a command that reads the list
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(retryEvery):
		}
		release, err = securefile.TryLock(file)
	}
	if err != nil {
		return nil, err
	}
	return &Publisher{file: file, release: release}, nil
}

// Publish puts a list in the place of the one before.
func (p *Publisher) Publish(l List) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return securefile.ReplaceUnsynced(p.file, append(text, '\n'))
}

// Release says that the hub does not run any more.
func (p *Publisher) Release() { p.release() }

// Read reads the list of a folder. It is empty where no hub runs.
func Read(dir string) (List, error) {
	file := filepath.Join(dir, FileName)
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return List{}, nil
	}
	release, err := securefile.TryLock(file)
	if err == nil {
		release()
		return List{}, nil
	}
	if !errors.Is(err, securefile.ErrLocked) {
		return List{}, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return List{}, fmt.Errorf("read the cameras of the hub: %w", err)
	}
	var l List
	if err := json.Unmarshal(text, &l); err != nil {
		return List{}, fmt.Errorf("read the cameras of the hub: %s: %w", file, err)
	}
	return l, nil
}
