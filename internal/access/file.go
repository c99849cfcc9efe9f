package access

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"camqtt/internal/securefile"
	"camqtt/internal/strictjson"
	"camqtt/internal/wire"
)

// FileName is the accounts file in the broker's data folder.
const FileName = "accounts.json"

const (
	backup  = ".bak" // the file as it was before the last change
	maxFile = 16 << 20
	version = 2
	bare    = 1 // the version without a checksum, which is read and no longer written
)

// ErrDamaged is what reading a damaged accounts file wraps.
var ErrDamaged = errors.New("accounts file is damaged")

// ErrEdited is what reading an accounts file wraps that is whole, but is not as camqtt
// has written it.
var ErrEdited = errors.New("the accounts are not as camqtt has written them")

// record is an account as it stands in the file.
type record struct {
	Name string `json:"name"`
	Role string `json:"role"`
	// Cameras are ids, or "*" alone for all. A list that was lost is not all: it is
	// an error.
	Cameras []string  `json:"cameras,omitempty"`
	Secret  string    `json:"secret"`
	Changed wire.Time `json:"changed"`
}

type document struct {
	Version  int      `json:"version"`
	Checksum string   `json:"checksum,omitempty"`
	Accounts []record `json:"accounts"`
}

// sum is the checksum of what the accounts say, however the file is laid out.
func (d *document) sum() (string, error) {
	text, err := json.Marshal(d.Accounts)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// unchanged reports accounts that are not those of the checksum.
func (d *document) unchanged() error {
	if d.Version == bare {
		if d.Checksum != "" {
			return fmt.Errorf("version %d with a checksum: want version %d", bare, version)
		}
		return nil
	}
	want, err := d.sum()
	if err == nil && d.Checksum != want {
		err = ErrEdited
	}
	return err
}

// entry is an account as it is used. One that did not change keeps its address when
// the file is read again, so that the address says whether somebody is still who he
// was. It is never written to.
type entry struct {
	Account
	secret secret
	text   string // of the secret, in the file
}

func (e *entry) principal() Principal {
	return Principal{Name: e.Name, Role: e.Role, All: e.All || e.Role == Admin, Cameras: e.Cameras, entry: e}
}

func (e *entry) same(o *entry) bool {
	return o != nil && e.Name == o.Name && e.Role == o.Role && e.All == o.All && e.text == o.text &&
		slices.Equal(e.Cameras, o.Cameras)
}

// parse reads the file's text. It takes nothing that it does not understand. With
// [ErrEdited] it returns the accounts all the same.
func parse(text []byte) ([]*entry, error) {
	var doc document
	if err := strictjson.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if doc.Version != version && doc.Version != bare {
		return nil, fmt.Errorf("version %d: want %d", doc.Version, version)
	}
	if doc.Accounts == nil {
		return nil, errors.New("it has no list of accounts")
	}
	all, err := doc.entries()
	if err != nil {
		return nil, err
	}
	return all, doc.unchanged()
}

// entries checks the accounts one by one.
func (d *document) entries() ([]*entry, error) {
	all := []*entry{}
	seen := map[string]bool{}
	for _, r := range d.Accounts {
		e, err := r.entry()
		if err != nil {
			return nil, err
		}
		if seen[e.Name] {
			return nil, fmt.Errorf("account %s is there twice", e.Name)
		}
		seen[e.Name] = true
		all = append(all, e)
	}
	return all, nil
}

func (r record) entry() (*entry, error) {
	role, err := ParseRole(r.Role)
	if err != nil {
		return nil, fmt.Errorf("account %.80q: %w", r.Name, err)
	}
	e := &entry{Account: Account{Name: r.Name, Role: role, Changed: r.Changed}, text: r.Secret}
	if len(r.Cameras) == 1 && r.Cameras[0] == "*" {
		e.All = true
	} else {
		for _, id := range r.Cameras {
			e.Cameras = append(e.Cameras, wire.ID(id))
		}
	}
	if err := CheckAccount(e.Account); err != nil {
		return nil, err
	}
	if e.secret, err = parseSecret(r.Secret); err != nil {
		return nil, fmt.Errorf("account %s: %w", r.Name, err)
	}
	e.Token = e.secret.token
	return e, nil
}

// text writes the file.
func text(all []*entry) ([]byte, error) {
	doc := document{Version: version, Accounts: []record{}}
	for _, e := range all {
		r := record{Name: e.Name, Role: e.Role.String(), Secret: e.text, Changed: e.Changed}
		for _, id := range e.Cameras {
			r.Cameras = append(r.Cameras, string(id))
		}
		if e.All {
			r.Cameras = []string{"*"}
		}
		doc.Accounts = append(doc.Accounts, r)
	}
	var err error
	if doc.Checksum, err = doc.sum(); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	return append(b, '\n'), err
}

// read reads the file and says of which one it is the content. A file that is missing
// is [fs.ErrNotExist]; one that others may read is refused, because it is what the
// accounts are worth.
func read(name string) (_ []*entry, raw []byte, _ fs.FileInfo, err error) {
	f, err := securefile.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, bad := os.Lstat(name + backup); bad == nil { // there were accounts here
			return nil, nil, nil, fmt.Errorf("%w: %s is not there, but %s%s is. Try: cp -p %s%s %s, or remove both to begin anew",
				ErrDamaged, name, name, backup, name, backup, name)
		}
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read accounts: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, nil, fmt.Errorf("read accounts: %w", err)
	case !st.Mode().IsRegular():
		return nil, nil, st, fmt.Errorf("read accounts: %s is no ordinary file", name)
	case runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0:
		return nil, nil, st, fmt.Errorf("accounts file %s has mode %04o, so others on this machine can use it: want 0600. Try: chmod 600 %s", name, st.Mode().Perm(), name)
	}
	if err := securefile.CheckOwner(name, st); err != nil {
		return nil, nil, st, err
	}
	raw, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, st, fmt.Errorf("read accounts: %w", err)
	}
	if len(raw) > maxFile {
		return nil, nil, st, fmt.Errorf("%s: more than %d bytes: %w", name, maxFile, ErrDamaged)
	}
	all, err := parse(raw)
	switch {
	case errors.Is(err, ErrEdited):
		return all, raw, st, edited(name)
	case err != nil:
		return nil, raw, st, damaged(name, err)
	}
	return all, raw, st, nil
}

// edited says what to do about a file that another program or a fault has changed.
func edited(name string) error {
	cure := ""
	if _, err := os.Stat(name + backup); err == nil {
		cure = fmt.Sprintf("; or go back to how it was before the last change: cp -p %s%s %s", name, backup, name)
	}
	return fmt.Errorf("%w: %s: %w (the checksum does not match). If you have edited the file, look at it with "+
		"camqtt user check --data %s, then add --accept%s", ErrDamaged, name, ErrEdited, filepath.Dir(name), cure)
}

// damaged says what to do about a file that cannot be understood.
func damaged(name string, why error) error {
	cure := "there is no copy beside it: restore it from elsewhere"
	if raw, err := os.ReadFile(name + backup); err == nil {
		all, err := parse(raw)
		if err != nil {
			return fmt.Errorf("%w: %s: %w; %s%s is damaged too: restore it from elsewhere", ErrDamaged, name, why, name, backup)
		}
		cure = fmt.Sprintf("%s%s is how it was before the last change, with %d accounts. Try: cp -p %s%s %s", name, backup, len(all), name, backup, name)
	}
	return fmt.Errorf("%w: %s: %w; %s", ErrDamaged, name, why, cure)
}
