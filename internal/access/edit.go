package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"camqtt/internal/datadir"
	"camqtt/internal/securefile"
	"camqtt/internal/wire"
)

// ErrUnknown is what changing an account wraps that does not exist.
var ErrUnknown = errors.New("no such account")

// ErrExists is what adding an account wraps that exists.
var ErrExists = errors.New("the account exists")

// List returns the accounts of a file by name; none where there is no file.
func List(file string) ([]Account, error) {
	all, _, _, err := read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	out := accountsOf(all)
	slices.SortFunc(out, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func accountsOf(all []*entry) []Account {
	out := make([]Account, len(all))
	for i, e := range all {
		out[i] = e.Account
	}
	return out
}

// Add makes an account in a file, which is made too where there is none. An empty
// password makes a secret, a token where a.Token asks for one; it is returned, and
// nobody can find it out later. A program that has the file open notices by itself.
func Add(file string, a Account, password string) (made string, err error) {
	if err := CheckAccount(a); err != nil {
		return "", err
	}
	s, made, err := newSecret(a.Token, password)
	if err != nil {
		return "", fmt.Errorf("account %s: %w", a.Name, err)
	}
	return made, add(file, a, s)
}

// AddToken makes an account for a token that [NewToken] has made and that its holder
// has got already.
func AddToken(file string, a Account, token string) error {
	a.Token = true
	if err := CheckAccount(a); err != nil {
		return err
	}
	return add(file, a, tokenSecret(token))
}

func add(file string, a Account, s secret) error {
	return edit(file, func(all []*entry) ([]*entry, error) {
		if err := free(all, a.Name); err != nil {
			return nil, err
		}
		return append(all, &entry{Account: a, secret: s, text: s.String()}), nil
	})
}

// First makes the first account of all, with a password that it returns. A file that
// is there, even one without accounts, is [ErrExists]: that was decided before.
func First(file string, a Account) (password string, err error) {
	if err := CheckAccount(a); err != nil {
		return "", err
	}
	s, made, err := newSecret(false, "")
	if err != nil {
		return "", fmt.Errorf("account %s: %w", a.Name, err)
	}
	return made, edit(file, func(all []*entry) ([]*entry, error) {
		if all != nil {
			return nil, fmt.Errorf("%s: %w", file, ErrExists)
		}
		return []*entry{{Account: a, secret: s, text: s.String()}}, nil
	})
}

// Remove removes an account from a file.
func Remove(file, name string) error {
	return edit(file, func(all []*entry) ([]*entry, error) {
		i := at(all, name)
		if i < 0 {
			return nil, fmt.Errorf("account %.80q: %w", name, ErrUnknown)
		}
		return slices.Delete(all, i, i+1), nil
	})
}

// SetSecret gives an account another secret. token says of which kind; password is as
// in [Add].
func SetSecret(file, name string, token bool, password string) (made string, err error) {
	s, made, err := newSecret(token, password)
	if err != nil {
		return "", fmt.Errorf("account %.80q: %w", name, err)
	}
	return made, change(file, name, func(e *entry) {
		e.secret, e.text, e.Token = s, s.String(), s.token
	})
}

// SetRights gives an account another role and other cameras; its secret stays.
func SetRights(file string, a Account) error {
	if err := CheckAccount(a); err != nil {
		return err
	}
	return change(file, a.Name, func(e *entry) { e.Role, e.All, e.Cameras = a.Role, a.All, a.Cameras })
}

func newSecret(token bool, password string) (s secret, made string, err error) {
	switch {
	case token && password != "":
		return s, "", errors.New("a token is made, not chosen: want no password")
	case token:
		made = NewToken()
		return tokenSecret(made), made, nil
	case password == "":
		made = NewPassword()
		return passwordSecret(made), made, nil
	}
	if err := CheckPassword(password); err != nil {
		return s, "", err
	}
	return passwordSecret(password), "", nil
}

// free reports an account of a name, or of one that differs from it only by case, which
// people would take for the same.
func free(all []*entry, name string) error {
	for _, e := range all {
		switch {
		case e.Name == name:
			return fmt.Errorf("account %s: %w", name, ErrExists)
		case strings.EqualFold(e.Name, name):
			return fmt.Errorf("account %s: %w: %s, which differs only by upper and lower case", name, ErrExists, e.Name)
		}
	}
	return nil
}

// Vacant reports an account that keeps a new one of a name from being made: the error
// wraps [ErrExists].
func Vacant(file, name string) error {
	all, _, _, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return free(all, name)
}

// Alike returns the names of accounts that differ from another one's only by case.
func Alike(all []Account) []string {
	n := map[string]int{}
	for _, a := range all {
		n[strings.ToLower(a.Name)]++
	}
	var names []string
	for _, a := range all {
		if n[strings.ToLower(a.Name)] > 1 {
			names = append(names, a.Name)
		}
	}
	slices.Sort(names)
	return names
}

func at(all []*entry, name string) int {
	return slices.IndexFunc(all, func(e *entry) bool { return e.Name == name })
}

// change changes one account.
func change(file, name string, f func(*entry)) error {
	return edit(file, func(all []*entry) ([]*entry, error) {
		i := at(all, name)
		if i < 0 {
			return nil, fmt.Errorf("account %.80q: %w", name, ErrUnknown)
		}
		f(all[i])
		all[i].Changed = wire.At(time.Now())
		return all, nil
	})
}

// edit reads the file, changes it and puts it back whole, alone in doing so. What was
// there before stays beside it.
func edit(file string, f func([]*entry) ([]*entry, error)) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make the folder for accounts: %w", err)
	}
	if err := datadir.Check(filepath.Dir(file)); err != nil {
		return err
	}
	release, err := securefile.Lock(file)
	if err != nil {
		return err
	}
	defer release()
	securefile.Sweep(file)
	securefile.Sweep(file + backup)
	all, _, _, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = datadir.Mark(filepath.Dir(file))
	}
	if err != nil {
		return err
	}
	if all, err = f(all); err != nil {
		return err
	}
	for _, e := range all {
		if e.Changed.IsZero() {
			e.Changed = wire.At(time.Now())
		}
	}
	after, err := text(all)
	if err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	if err := securefile.ReplaceKept(file, file+backup, after); err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	return nil
}
