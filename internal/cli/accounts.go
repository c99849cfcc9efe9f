package cli

import (
	"errors"
	"fmt"
	"path/filepath"

	"camqtt/internal/access"
	"camqtt/internal/inuse"
)

// accountsFile is where accounts are in a folder; "" without one.
func accountsFile(data string) string {
	if data == "" {
		return ""
	}
	return filepath.Join(data, access.FileName)
}

// addAccounts reads the accounts of the embedded broker, or the page's own where the
// broker is somebody else's. What is wrong with them will not be cured by a restart.
func (b *plant) addAccounts() error {
	if err := usable(b.cfg.AccountsData()); err != nil {
		return err
	}
	file, anonymous := accountsFile(b.cfg.AccountsData()), ""
	switch {
	case b.cfg.Broker != nil:
		anonymous = b.cfg.Broker.Anonymous
	case file == "": // then everybody is one of this machine
		return nil
	default:
		anonymous = b.cfg.Dashboard.Anonymous
	}
	a, err := access.Open(access.Options{File: file, Anonymous: anonymous, Log: b.log})
	if err != nil {
		return usage(err, "")
	}
	b.accounts = a
	b.add("accounts", a)
	return nil
}

// firstAccount sees to it that nothing others can reach is without an account. Where
// there never was one it makes an admin, and shows the password this once.
func (e *env) firstAccount(b *plant) error {
	addr := b.cfg.Exposed()
	if b.accounts == nil || addr == "" || b.accounts.Exist() {
		return nil
	}
	file := accountsFile(b.cfg.AccountsData())
	none := fmt.Errorf("other machines can reach %s, and there is no account in %s", addr, file)
	help := e.name + " user add admin --role admin --data " + b.cfg.AccountsData()
	const name = "admin"
	made, err := access.First(file, access.Account{Name: name, Role: access.Admin})
	switch {
	case errors.Is(err, access.ErrExists):
		return usage(none, help)
	case err != nil:
		return usage(fmt.Errorf("make the first account: %w", err), "")
	}
	if err := b.accounts.Reload(); err != nil {
		return usage(err, "")
	}
	fmt.Fprintf(e.Stderr, `
Other machines can reach %s, so there has to be an account. This one was made, and its
password is shown only now:

  user      %s
  password  %s

Further ones: %s user add --help
`+"\n", addr, name, made, e.name)
	return nil
}

// users changes the accounts for the page, and puts them in force at once.
type users struct {
	file     string
	accounts *access.Accounts
	inUse    func() inuse.List
}

// List returns the accounts.
func (u users) List() ([]access.Account, error) { return access.List(u.file) }

// Add makes an account.
func (u users) Add(a access.Account, password string) (made string, err error) {
	if err := checkInUse(u.inUse(), a); err != nil {
		return "", err
	}
	if made, err = access.Add(u.file, a, password); err != nil {
		return "", err
	}
	return made, u.accounts.Reload()
}

// Remove removes an account.
func (u users) Remove(name string) error {
	if err := access.Remove(u.file, name); err != nil {
		return err
	}
	return u.accounts.Reload()
}
