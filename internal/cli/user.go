package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"camqtt/internal/access"
)

func (e *env) userCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "user",
		Short: "Accounts of the embedded broker and its page: add, rm, ls, passwd, set, check",
		Long: "Accounts of the embedded broker and its page. Changes are in force within a second,\n" +
			"whether the broker runs or not; who is connected with an account that has gone or changed is disconnected.",
		Example: "  camqtt user add ann --role viewer -c hub.yaml\n" +
			"  camqtt user add front --role camera -c hub.yaml\n" +
			"  camqtt user add guest --role viewer --camera porch,garden -c hub.yaml\n" +
			"  camqtt user add tablet --role viewer --camera porch --token -c hub.yaml",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(e.userAdd(), e.userRemove(), e.userList(), e.userPassword(), e.userSet(), e.userCheck())
	return c
}

// accountFailed turns an error of changing accounts into one of the caller where it is.
func accountFailed(err error, hint string) error {
	if errors.Is(err, access.ErrUnknown) || errors.Is(err, access.ErrExists) {
		return &hinted{err, hint}
	}
	return err
}

// kindOf names a kind of secret.
func kindOf(token bool) string {
	if token {
		return "token"
	}
	return "password"
}

// shown prints a secret that was made, this once.
func (e *env) shown(name, made string, token bool) error {
	if made == "" {
		return nil
	}
	fmt.Fprintf(e.Stderr, "The %s of %s, shown only now:\n", kindOf(token), name)
	return write(e.Stdout, []byte(made+"\n"))
}

// absolute is where a file is, for people who may think of another folder.
func absolute(file string) string {
	if abs, err := filepath.Abs(file); err == nil {
		return abs
	}
	return file
}

func oneAccount(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("which account? want one name, but got %d", len(args))
	}
	return nil
}

func (e *env) userAdd() *cobra.Command {
	var u userFlags
	var f inviteFlags
	c := &cobra.Command{
		Use:   "add NAME [--role ROLE]",
		Short: "Make an account; prints the token or password it makes",
		Example: "  camqtt user add ann --role viewer -c hub.yaml\n" +
			"  camqtt user add --camera front -c hub.yaml              prints a join string for its machine\n" +
			"  camqtt user add --camera front --token -c hub.yaml      prints configuration to paste there",
		Long: "Make an account. Roles:\n" +
			"  camera         one camera's node: publishes it, obeys its commands\n" +
			"  bridge         the same for several cameras\n" +
			"  viewer         sees cameras and gives them commands, all or those of --camera\n" +
			"  operator       changes their settings too\n" +
			"  homeassistant  an operator that reads discovery\n" +
			"  admin          everything\n" +
			"camera, bridge and homeassistant get a token, the others a password.\n\n" +
			"With --camera ID and no name it lets that camera's machine make its account itself, within\n" +
			"ten minutes and once: the join string it prints is for \"camqtt node --join\" there. The hub\n" +
			"must be running, with TLS.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if u.forCamera(c, args) {
				return e.addCamera(c.Context(), &u, &f)
			}
			if err := oneAccount(c, args); err != nil {
				return usage(fmt.Errorf("user add: %w", err), e.name+" user add --help")
			}
			a, err := u.account(args[0])
			if err != nil {
				return usage(fmt.Errorf("user add: %w", err), e.name+" user add --help")
			}
			password, err := u.password(e)
			if err != nil {
				return err
			}
			a.Token = u.token || a.Role.ForDevice() && password == ""
			file, err := u.fileFor(e, a)
			if err != nil {
				return err
			}
			_, missing := os.Stat(file)
			made, err := access.Add(file, a, password)
			if err == nil && missing != nil { // a relative folder may be another than the hub's
				fmt.Fprintf(e.Stderr, "This is the first account in %s. A hub that keeps its data elsewhere does not see it: name its configuration with -c, or its folder with --data.\n", absolute(file))
			}
			if err != nil {
				return accountFailed(err, e.name+" user passwd "+a.Name+", or user set to change what it may do")
			}
			fmt.Fprintf(e.Stderr, "Account %s: %s, cameras: %s (%s)\n", a.Name, a.Role, a.Of(), file)
			return e.shown(a.Name, made, a.Token)
		},
	}
	u.where(c)
	u.rights(c, access.Viewer.String())
	u.secret(c)
	f.flags(c)
	return c
}

func (e *env) userRemove() *cobra.Command {
	var u userFlags
	c := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove an account; who is connected with it is disconnected",
		Args:  oneAccount,
	}
	return u.at(e, c, func(file string, args []string) error {
		return accountFailed(access.Remove(file, args[0]), e.name+" user ls")
	})
}

func (e *env) userList() *cobra.Command {
	var u userFlags
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the accounts",
		Args:  cobra.NoArgs,
	}
	return u.at(e, c, func(file string, _ []string) error {
		all, err := access.List(file)
		if err != nil {
			return err
		}
		return e.listAccounts(file, all)
	})
}

// listAccounts prints accounts as a table.
func (e *env) listAccounts(file string, all []access.Account) error {
	if len(all) == 0 {
		fmt.Fprintf(e.Stderr, "There are no accounts in %s.\n", absolute(file))
	}
	if names := access.Alike(all); len(names) > 0 {
		fmt.Fprintf(e.Stderr, "Accounts that differ only by upper and lower case: %s\n", strings.Join(names, " "))
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tROLE\tSECRET\tCAMERAS\tCHANGED")
	for _, a := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", a.Name, a.Role, kindOf(a.Token), a.Of(), a.Changed.Local().Format("2006-01-02 15:04"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return write(e.Stdout, []byte(b.String()))
}

func (e *env) userPassword() *cobra.Command {
	var u userFlags
	c := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Give an account another secret of its kind; prints the one it makes",
		Args:  oneAccount,
	}
	u.secret(c)
	return u.at(e, c, func(file string, args []string) error {
		password, err := u.password(e)
		if err != nil {
			return err
		}
		all, err := access.List(file)
		if err != nil {
			return err
		}
		token := u.token
		for _, a := range all {
			token = token || a.Name == args[0] && a.Token && password == ""
		}
		made, err := access.SetSecret(file, args[0], token, password)
		if err != nil {
			return accountFailed(err, e.name+" user ls")
		}
		return e.shown(args[0], made, token)
	})
}

func (e *env) userSet() *cobra.Command {
	var u userFlags
	c := &cobra.Command{
		Use:   "set NAME --role ROLE",
		Short: "Change what an account may do; its secret stays",
		Args:  oneAccount,
	}
	u.rights(c, "")
	return u.at(e, c, func(file string, args []string) error {
		a, err := u.account(args[0])
		if err != nil {
			return usage(fmt.Errorf("user set: %w", err), e.name+" user set --help")
		}
		l, err := u.hubOf(e, file)
		if err != nil {
			return err
		}
		l.Online = nil // it may be this account's own
		if err := checkInUse(l, a); err != nil {
			return err
		}
		return accountFailed(access.SetRights(file, a), e.name+" user ls")
	})
}
