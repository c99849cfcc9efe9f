package app

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"camqtt/internal/access"
	"camqtt/internal/datadir"
	"camqtt/internal/inuse"
	"camqtt/internal/usage"
)

// AccountsFile is the accounts file of a data folder; "" without a folder.
func AccountsFile(data string) string {
	if data == "" {
		return ""
	}
	return filepath.Join(data, access.FileName)
}

// addAccounts reads the accounts of the embedded broker, or the page's own where the
// broker is another program. Restarting does not help against their errors.
func addAccounts(p *process) error {
	if err := CheckData(p.cfg.AccountsData()); err != nil {
		return err
	}
	file, anonymous := AccountsFile(p.cfg.AccountsData()), ""
	switch {
	case p.cfg.Broker != nil:
		anonymous = p.cfg.Broker.Anonymous
	case file == "": // then everybody is one of this machine
		return nil
	default:
		anonymous = p.cfg.Dashboard.Anonymous
	}
	a, err := access.Open(access.Options{File: file, Anonymous: anonymous, Log: p.log})
	if err != nil {
		return usage.Error(err, "")
	}
	p.accounts = a
	p.add("accounts", a)
	return nil
}

// addFirstAccount sees to it that nothing others can reach is without an account. Where
// there never was one it makes an admin, and shows the password this once.
func addFirstAccount(p *process) error {
	addr := p.cfg.Exposed()
	if p.accounts == nil || addr == "" || p.accounts.Exist() {
		return nil
	}
	file := AccountsFile(p.cfg.AccountsData())
	none := fmt.Errorf("other machines can reach %s, and there is no account in %s", addr, file)
	help := p.o.Command + " user add admin --role admin --data " + p.cfg.AccountsData()
	const name = "admin"
	made, err := access.First(file, access.Account{Name: name, Role: access.Admin})
	switch {
	case errors.Is(err, access.ErrExists):
		return usage.Error(none, help)
	case err != nil:
		return usage.Error(fmt.Errorf("make the first account: %w", err), "")
	}
	if err := p.accounts.Reload(); err != nil {
		return usage.Error(err, "")
	}
	fmt.Fprintf(p.o.Stderr, `
Other machines can reach %s, so there has to be an account. This one was made, and its
password is shown only now:

  user      %s
  password  %s

Further ones: %s user add --help
`+"\n", addr, name, made, p.o.Command)
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
	if err := CheckInUse(u.inUse(), a); err != nil {
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

// CheckData refuses a data folder that this version must not use.
func CheckData(data string) error {
	switch err := datadir.Check(data); {
	case errors.Is(err, fs.ErrPermission):
		return usage.Error(fmt.Errorf("data folder %s belongs to another user and cannot be read: %w", Absolute(data), err), "the same with sudo, or as the user of the service")
	case err != nil:
		return usage.Error(err, "")
	}
	return nil
}

// Absolute returns the absolute path of a file, or the path as it is.
func Absolute(file string) string {
	if abs, err := filepath.Abs(file); err == nil {
		return abs
	}
	return file
}
