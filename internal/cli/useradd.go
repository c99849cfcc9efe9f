package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"camqtt/internal/access"
	"camqtt/internal/app"
	"camqtt/internal/usage"
)

func userAdd(e *env) *cobra.Command {
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
				return addCamera(c.Context(), e, &u, &f)
			}
			if err := oneAccount(c, args); err != nil {
				return usage.Error(fmt.Errorf("user add: %w", err), e.name+" user add --help")
			}
			a, err := u.account(args[0])
			if err != nil {
				return usage.Error(fmt.Errorf("user add: %w", err), e.name+" user add --help")
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
				fmt.Fprintf(e.Stderr, "This is the first account in %s. A hub that keeps its data elsewhere does not see it: name its configuration with -c, or its folder with --data.\n", app.Absolute(file))
			}
			if err != nil {
				return accountFailed(err, e.name+" user passwd "+a.Name+", or user set to change what it may do")
			}
			fmt.Fprintf(e.Stderr, "Account %s: %s, cameras: %s (%s)\n", a.Name, a.Role, a.Of(), file)
			return shown(e, a.Name, made, a.Token)
		},
	}
	u.where(c)
	u.rights(c, access.Viewer.String())
	u.secret(c)
	f.flags(c)
	return c
}
