package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"camqtt/internal/access"
	"camqtt/internal/app"
)

func userCheck(e *env) *cobra.Command {
	var u userFlags
	var accept bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the accounts file and list its accounts; --accept takes an edited file",
		Long: "Check that the accounts file is as camqtt has written it, and list its accounts. A file that\n" +
			"was edited by hand is not in force until it is accepted: look at the list, then add --accept.",
		Args: cobra.NoArgs,
	}
	c.Flags().BoolVar(&accept, "accept", false, "accept the file as it is now")
	return u.at(e, c, func(file string, _ []string) error {
		read := access.Check
		if accept {
			read = access.Accept
		}
		all, err := read(file)
		if err != nil && !errors.Is(err, access.ErrEdited) {
			return err
		}
		if err := listAccounts(e, file, all); err != nil {
			return err
		}
		if err == nil {
			fmt.Fprintf(e.Stderr, "%s is whole: %d accounts.\n", app.Absolute(file), len(all))
		}
		return err
	})
}
