package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"camqtt/internal/access"
	"camqtt/internal/app"
)

func userList(e *env) *cobra.Command {
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
		return listAccounts(e, file, all)
	})
}

// listAccounts prints accounts as a table.
func listAccounts(e *env, file string, all []access.Account) error {
	if len(all) == 0 {
		fmt.Fprintf(e.Stderr, "There are no accounts in %s.\n", app.Absolute(file))
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
