package access

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"time"

	"camqtt/internal/securefile"
)

const (
	// loginsName is the file, beside that of the accounts, from which a restart learns where
	// accounts have logged in.
	loginsName     = "logins.json"
	maxLoginsBytes = 8 << 20
	// loginsEvery is the shortest pause between writes, which spares memory cards.
	loginsEvery = time.Minute
	// loginsStale is how much older than a login its date in the file may be.
	loginsStale = 24 * time.Hour
)

// loginsFile is what the file says.
type loginsFile struct {
	Schema int           `json:"schema"`
	Logins []loginRecord `json:"logins"`
}

// loginRecord is an account that has logged in from an address.
type loginRecord struct {
	Account string               `json:"account"`
	From    netip.Addr           `json:"from"`
	Last    time.Time            `json:"last"`
	Devices map[string]time.Time `json:"devices,omitempty"` // by hash, in hexadecimal
}

// logins keeps what a guard knows of logins in a file. It is used by one goroutine.
type logins struct {
	file   string
	guard  *guard
	exists func(account string) bool
	wrote  time.Time
}

// load reads the file. What is damaged or too old is left out: the worst that follows is
// that accounts have no tries of their own before they log in again.
func (l *logins) load(now time.Time) error {
	st, err := os.Stat(l.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Size() > maxLoginsBytes:
		return fmt.Errorf("read %s: %d bytes, want at most %d", l.file, st.Size(), maxLoginsBytes)
	}
	text, err := os.ReadFile(l.file)
	if err != nil {
		return err
	}
	all, err := parseLogins(text)
	if err != nil {
		return fmt.Errorf("read %s: %w", l.file, err)
	}
	l.guard.restore(all, now)
	return nil
}

func parseLogins(text []byte) ([]loginRecord, error) {
	var f loginsFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	if f.Schema != 1 {
		return nil, fmt.Errorf("schema %d, want 1", f.Schema)
	}
	return f.Logins, nil
}

// save writes the file if something has changed and enough time has passed; force does
// not wait.
func (l *logins) save(now time.Time, force bool) error {
	if !force && now.Sub(l.wrote) < loginsEvery {
		return nil
	}
	all, changed := l.guard.snapshot()
	if !changed {
		return nil
	}
	all = slices.DeleteFunc(all, func(r loginRecord) bool { return !l.exists(r.Account) })
	l.wrote = now
	text, err := json.Marshal(loginsFile{Schema: 1, Logins: all})
	if err != nil {
		return err
	}
	return securefile.Replace(l.file, text)
}

// restore remembers logins of an earlier process.
func (g *guard) restore(all []loginRecord, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	recent := func(at time.Time) bool { return now.Sub(at) < knownFor && !at.After(now.Add(loginsStale)) }
	for _, r := range all {
		if CheckName(r.Account) != nil || !recent(r.Last) || len(g.known) >= maxBuckets {
			continue
		}
		k := &knownAccount{at: r.Last, tries: fullBucket(now)}
		for text, at := range r.Devices {
			if device, err := hex.DecodeString(text); err == nil && len(device) == deviceBytes && recent(at) {
				k.remember(string(device), at)
			}
		}
		g.known[accountAt{from: r.From, name: r.Account}] = k
	}
}

// snapshot returns the logins that are remembered, and whether there are new ones since
// the last time.
func (g *guard) snapshot() (all []loginRecord, changed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.changed {
		return nil, false
	}
	g.changed = false
	for p, k := range g.known {
		k.saved = k.at
		r := loginRecord{Account: p.name, From: p.from, Last: k.at.UTC(), Devices: map[string]time.Time{}}
		for name, d := range k.devices {
			r.Devices[hex.EncodeToString([]byte(name))] = d.at.UTC()
		}
		all = append(all, r)
	}
	return all, true
}
