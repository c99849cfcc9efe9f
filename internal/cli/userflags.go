package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"camqtt/internal/access"
	"camqtt/internal/app"
	"camqtt/internal/config"
	"camqtt/internal/inuse"
	"camqtt/internal/usage"
	"camqtt/internal/wire"
)

// userFlags are what the commands about accounts can be told.
type userFlags struct {
	config       []string
	data         string
	role         string
	cameras      []string
	token        bool
	passwordFile string
}

func (u *userFlags) where(c *cobra.Command) {
	c.Flags().StringArrayVarP(&u.config, "config", "c", nil, "configuration of the broker, which says where the accounts are")
	c.Flags().StringVar(&u.data, "data", "", "the broker's data folder (default that of the configuration, else ./data)")
}

func (u *userFlags) rights(c *cobra.Command, role string) {
	var names []string
	for _, r := range access.Roles() {
		names = append(names, r.String())
	}
	c.Flags().StringVar(&u.role, "role", role, strings.Join(names, ", "))
	listFlag(c, &u.cameras, "camera", "ids of cameras, repeated or with commas (default all; for the role camera, the account's name)")
}

func (u *userFlags) secret(c *cobra.Command) {
	c.Flags().BoolVar(&u.token, "token", false, "make a token, as programs have, also for a person")
	c.Flags().StringVar(&u.passwordFile, "password-file", "", "file with the password as its only line; - reads it from standard input (default makes one)")
}

// file is where the accounts are.
func (u *userFlags) file(e *env) (string, error) {
	if u.data != "" {
		return app.AccountsFile(u.data), app.CheckData(u.data)
	}
	sources := u.config
	if len(sources) == 0 {
		sources = []string{"broker="}
	}
	cfg, err := e.loadOptions(config.Options{Sources: sources, Environ: e.Environ, ClientOnly: true})
	switch {
	case err != nil:
		return "", err
	case cfg.AccountsData() == "":
		return "", usage.Error(errors.New("the configuration has no folder for accounts: want broker.data, or dashboard.data where the broker is another program"), "")
	}
	for _, m := range e.moved {
		fmt.Fprintf(e.Stderr, "%s: used is %s, which is in the working directory; %s does not exist\n", m.key, m.used, m.now)
	}
	return app.AccountsFile(cfg.AccountsData()), app.CheckData(cfg.AccountsData())
}

// at makes a command about accounts do something to the file they are in.
func (u *userFlags) at(e *env, c *cobra.Command, do func(file string, args []string) error) *cobra.Command {
	u.where(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		file, err := u.file(e)
		if err != nil {
			return err
		}
		return do(file, args)
	}
	return c
}

// account reads the flags that say what an account may do.
func (u *userFlags) account(name string) (a access.Account, err error) {
	a.Name = name
	if a.Role, err = access.ParseRole(u.role); err != nil {
		return a, err
	}
	for _, s := range u.cameras {
		id, err := wire.ParseID(s)
		if err != nil {
			return a, err
		}
		a.Cameras = append(a.Cameras, id)
	}
	switch {
	case len(a.Cameras) > 0 || a.Role == access.Admin || a.Role == access.Bridge:
	case a.Role == access.Camera:
		id, err := wire.ParseID(name)
		if err != nil {
			return a, fmt.Errorf("the account's name is no camera's id: want --camera ID: %w", err)
		}
		a.Cameras = []wire.ID{id}
	default:
		a.All = true
	}
	return a, access.CheckAccount(a)
}

// password reads the password, if the flags name one.
func (u *userFlags) password(e *env) (string, error) {
	var line string
	var err error
	switch u.passwordFile {
	case "":
		return "", nil
	case "-":
		line, err = e.typed()
	default:
		line, err = passwordFrom(u.passwordFile)
	}
	if err != nil {
		return "", usage.Error(fmt.Errorf("read the password: %w", err), "")
	}
	if err := access.CheckPassword(line); err != nil {
		return "", usage.Error(err, "")
	}
	return line, nil
}

// passwordFrom reads the only line of a file.
func passwordFrom(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	line := strings.TrimRight(string(text), "\r\n")
	if strings.Contains(line, "\n") {
		return "", fmt.Errorf("%s has more than one line: want the password as the only one", file)
	}
	return line, nil
}

// hubOf gives the cameras of the hub whose accounts a command changes: those that it has
// now, and those of the configuration that the command was given.
func (u *userFlags) hubOf(e *env, accounts string) (inuse.List, error) {
	l, err := inuse.Read(filepath.Dir(accounts))
	if err != nil || len(u.config) == 0 {
		return l, err
	}
	cfg, err := e.loadOptions(config.Options{Sources: u.config, Environ: e.Environ, ClientOnly: true})
	if err != nil {
		return l, err
	}
	l.Served = append(l.Served, app.Served(cfg)...)
	return l, nil
}

// fileFor is where accounts are, for a new one that the hub does not stand in the way of.
func (u *userFlags) fileFor(e *env, a access.Account) (string, error) {
	file, err := u.file(e)
	if err != nil {
		return "", err
	}
	return file, u.vacant(e, file, a)
}

// vacant reports an account for a camera that the hub has.
func (u *userFlags) vacant(e *env, accounts string, a access.Account) error {
	l, err := u.hubOf(e, accounts)
	if err != nil {
		return err
	}
	return app.CheckInUse(l, a)
}
