package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"camqtt/internal/access"
	"camqtt/internal/app"
	"camqtt/internal/usage"
)

func userSet(e *env) *cobra.Command {
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
			return usage.Error(fmt.Errorf("user set: %w", err), e.name+" user set --help")
		}
		l, err := u.hubOf(e, file)
		if err != nil {
			return err
		}
		l.Online = nil // it may be this account's own
		if err := app.CheckInUse(l, a); err != nil {
			return err
		}
		return accountFailed(access.SetRights(file, a), e.name+" user ls")
	})
}
