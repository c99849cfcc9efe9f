package node

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"camqtt/internal/wire"
)

// lastEvery is the least time between two writes that only note the newest picture.
const lastEvery = 10 * time.Minute

// keptSetting is a setting made over MQTT. It is dropped when the configuration says
// something else than it did then.
type keptSetting struct {
	Value      string `json:"value"`
	Configured string `json:"configured"`
}

// lastPicture is what state says of the newest picture.
type lastPicture struct {
	At      wire.Time `json:"at"`
	Width   int       `json:"width"`
	Height  int       `json:"height"`
	Quality int       `json:"quality,omitempty"`
}

// keptState is what a node keeps beyond its life, beside privacy.
type keptState struct {
	Settings map[wire.Setting]keptSetting `json:"settings,omitempty"`
	Last     lastPicture                  `json:"last,omitzero"`
}

// keptSettings writes the settings made over MQTT to disk, and what state says of the newest
// picture. A nil store keeps nothing. It writes on a goroutine of its own: a disk can be slow.
type keptSettings struct {
	store      Store
	configured settings
	now        keptState
	changed    bool      // now is not written down
	due        time.Time // when it must be; zero: not at all
	noted      time.Time // when the newest picture was last written down

	box    slot[[]byte]
	failed atomic.Pointer[string] // why the last write failed; nil: it did not
}

func newKeptSettings(o Options) *keptSettings {
	return &keptSettings{store: o.Store, configured: configured(o), box: newSlot[[]byte]()}
}

// load returns what is still in force of what was kept. fixed are settings that were given
// at this start and win.
func (k *keptSettings) load(fixed []wire.Setting) (changes []wire.Change, err error) {
	if k.store == nil {
		return nil, nil
	}
	b, err := k.store.Settings()
	if err != nil || len(b) == 0 {
		return nil, err
	}
	if err := json.Unmarshal(b, &k.now); err != nil {
		k.now = keptState{}
		return nil, fmt.Errorf("kept settings are not readable: %w", err)
	}
	for _, s := range wire.Settings() {
		kept, ok := k.now.Settings[s]
		if !ok {
			continue
		}
		c, err := wire.ParseChange(string(s), kept.Value)
		row, _ := wire.RowOf(s)
		if err != nil || !row.Kept || k.configured.text(s) != kept.Configured || slices.Contains(fixed, s) {
			delete(k.now.Settings, s)
			k.changed = true
			continue
		}
		changes = append(changes, c)
	}
	if k.changed {
		k.write()
	}
	return changes, nil
}

// set notes settings that were made.
func (k *keptSettings) set(changes []wire.Change) {
	for _, c := range changes {
		row, _ := wire.RowOf(c.Setting)
		value, configured := c.Value(), k.configured.text(c.Setting)
		switch {
		case c.Setting == wire.SetReset:
			k.now.Settings = nil
		case !row.Kept:
			continue
		case value == configured:
			delete(k.now.Settings, c.Setting)
		default:
			if k.now.Settings == nil {
				k.now.Settings = map[wire.Setting]keptSetting{}
			}
			k.now.Settings[c.Setting] = keptSetting{value, configured}
		}
		k.changed = true
	}
	if k.changed {
		k.write()
	}
}

// picture notes the newest picture. It is written down every ten minutes at most.
func (k *keptSettings) picture(p lastPicture, now time.Time) {
	k.now.Last, k.changed = p, true
	if k.due.IsZero() && k.store != nil {
		k.due = now
		if next := k.noted.Add(lastEvery); next.After(now) {
			k.due = next
		}
	}
}

// next is when something must be written.
func (k *keptSettings) next() time.Time { return k.due }

// run writes what is due.
func (k *keptSettings) run(now time.Time) {
	if due(k.due, now) {
		k.write()
	}
}

func (k *keptSettings) write() {
	k.due = time.Time{}
	if k.store == nil {
		return
	}
	k.noted, k.changed = time.Now(), false
	k.box.put(k.bytes())
}

func (k *keptSettings) bytes() []byte {
	b, _ := json.Marshal(k.now) // has nothing that cannot be written
	return b
}

// serve writes what is handed over until ctx is done.
func (k *keptSettings) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-k.box:
			k.save(b)
		}
	}
}

func (k *keptSettings) save(b []byte) {
	if err := k.store.SetSettings(b); err != nil {
		text := "settings will not survive a restart: " + err.Error()
		k.failed.Store(&text)
		return
	}
	k.failed.Store(nil)
}

// end writes what has not been written. serve must have returned.
func (k *keptSettings) end() {
	waiting := false
	select {
	case <-k.box:
		waiting = true
	default:
	}
	if k.store != nil && (waiting || k.changed) {
		k.save(k.bytes())
	}
}

// warning lists the settings in force that the configuration does not have.
func (k *keptSettings) warning() string {
	var all []string
	for _, s := range wire.Settings() {
		if v, ok := k.now.Settings[s]; ok {
			all = append(all, string(s)+"="+v.Value)
		}
	}
	if len(all) == 0 || k.store == nil {
		return ""
	}
	if failed := k.failed.Load(); failed != nil {
		return *failed
	}
	return "set over MQTT and kept: " + strings.Join(all, " ") + " (set reset=all returns to the configuration)"
}
