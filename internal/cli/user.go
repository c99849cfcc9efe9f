package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"camqtt/internal/access"
	"camqtt/internal/usage"
)

func userCommand(e *env) *cobra.Command {
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
	c.AddCommand(userAdd(e), userRemove(e), userList(e), userPassword(e), userSet(e), userCheck(e))
	return c
}

// accountFailed turns an error of changing accounts into one of the caller where it is.
func accountFailed(err error, hint string) error {
	if errors.Is(err, access.ErrUnknown) || errors.Is(err, access.ErrExists) {
		return usage.Hint(err, hint)
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
func shown(e *env, name, made string, token bool) error {
	if made == "" {
		return nil
	}
	fmt.Fprintf(e.Stderr, "The %s of %s, shown only now:\n", kindOf(token), name)
	return write(e.Stdout, []byte(made+"\n"))
}

func oneAccount(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("which account? want one name, but got %d", len(args))
	}
	return nil
}
