package cli

import (
	"github.com/spf13/cobra"

	"camqtt/internal/access"
)

func userPassword(e *env) *cobra.Command {
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
		return shown(e, args[0], made, token)
	})
}
