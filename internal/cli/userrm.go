package cli

import (
	"github.com/spf13/cobra"

	"camqtt/internal/access"
)

func userRemove(e *env) *cobra.Command {
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
