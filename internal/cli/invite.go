package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/access"
	"camqtt/internal/app"
	"camqtt/internal/cert"
	"camqtt/internal/config"
	"camqtt/internal/enrol"
	"camqtt/internal/usage"
	"camqtt/internal/wire"
)

// inviteFlags are what user add can be told of a camera's machine.
type inviteFlags struct {
	addresses []string
	qr        bool
}

func (f *inviteFlags) flags(c *cobra.Command) {
	listFlag(c, &f.addresses, "address", "with --camera alone: where its machine finds the hub, a host with or without a port (default broker.tls.names, else the names of acme, else this machine's addresses)")
	c.Flags().BoolVar(&f.qr, "qr", false, "with --camera alone: draw the join string as a QR code also where standard error is no terminal")
}

// forCamera reports whether user add was asked to let a camera's machine in, and not to
// make an account with a name of its own.
func (u *userFlags) forCamera(c *cobra.Command, args []string) bool {
	role := c.Flags().Changed("role")
	return len(args) == 0 && len(u.cameras) == 1 && (!role || u.role == access.Camera.String()) && u.passwordFile == ""
}

// addCamera makes an invitation for a camera's machine, or with --token its account.
func addCamera(ctx context.Context, e *env, u *userFlags, f *inviteFlags) error {
	id, err := cameraID(u.cameras[0])
	if err != nil {
		return err
	}
	accounts, err := u.fileFor(e, access.Account{Role: access.Camera, Cameras: []wire.ID{id}})
	if err != nil {
		return err
	}
	if err := enrol.Vacant(accounts, id); err != nil {
		if errors.Is(err, enrol.ErrExists) {
			err = fmt.Errorf("there is an account for camera %s already, and it stays as it is", id)
		}
		return usage.Hint(err, fmt.Sprintf("%s user rm %s, and then again; its node is out from that moment", e.name, id))
	}
	invites := app.Invitations(accounts)
	if u.token {
		return tokenForCamera(e, u, accounts, id, f.addresses)
	}
	d, err := invites.Endpoint()
	switch {
	case errors.Is(err, enrol.ErrNoHub):
		return usage.Hint(err, "start the hub first ("+e.name+" run), name its folder with --data or -c; or --token, which makes a token without it")
	case errors.Is(err, enrol.ErrNoTLS):
		return usage.Hint(err, "broker.tls.listen: 0.0.0.0:8883 in the hub's configuration, which makes its own key; or --token, which makes a token to carry by hand")
	case err != nil:
		return err
	}
	if err := enrol.Probe(ctx, d); err != nil {
		return usage.Hint(fmt.Errorf("the hub does not answer, so no camera could join: %w", err), "start the hub first ("+e.name+" run)")
	}
	in, err := invites.Invite(id, f.addresses)
	if err != nil {
		return err
	}
	return showInvitation(e, in, d.Local() && len(f.addresses)+len(d.Names) == 0, f.qr)
}

// showInvitation prints the join string alone to standard output, and what to do with
// it to standard error.
func showInvitation(e *env, in enrol.Invitation, local, qr bool) error {
	text := in.Code.Text()
	if out, ok := e.Stderr.(*os.File); qr || ok && terminal(out) {
		code, err := enrol.NewQR(text)
		if err != nil {
			return err
		}
		fmt.Fprintln(e.Stderr, code.Terminal())
	}
	fmt.Fprintf(e.Stderr, "Camera %s can join once, until %s, as follows; this is shown only now:\n\n"+
		"  camqtt node --join STRING --source v4l2:    on its machine, with its own source\n\n"+
		"STRING has the hub's address (%s), its key and a secret:\n",
		in.Code.Camera, in.Expires.Local().Format(time.TimeOnly), strings.Join(in.Code.Addresses, ", "))
	if err := write(e.Stdout, []byte(text+"\n")); err != nil {
		return err
	}
	if local {
		fmt.Fprintln(e.Stderr, "Only this machine can reach that address. Others need broker.tls.listen: 0.0.0.0:8883, or --address where a tunnel leads to it.")
	}
	return nil
}

// terminal reports whether a file is one.
func terminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// tokenForCamera makes the account at once and prints the configuration to paste where
// the camera is.
func tokenForCamera(e *env, u *userFlags, accounts string, id wire.ID, addresses []string) error {
	cred := enrol.Credentials{Camera: id, Base: wire.DefaultBase}
	if len(u.config) > 0 {
		cfg, err := e.loadOptions(config.Options{Sources: u.config, Environ: e.Environ, ClientOnly: true})
		if err != nil {
			return err
		}
		cred.Base, cred.Prefix = cfg.Base, cfg.HomeAssistant.Prefix
		cred.URLs, cred.Pin = brokerOf(cfg, addresses)
	}
	if d, err := app.Invitations(accounts).Endpoint(); err == nil {
		all, err := d.Addresses(addresses)
		if err != nil {
			return usage.Error(err, "")
		}
		cred.URLs, cred.Pin = nil, &d.Pin
		if d.Public {
			cred.Pin = nil
		}
		for _, a := range all {
			cred.URLs = append(cred.URLs, d.Scheme+"://"+a)
		}
	}
	hint := ""
	if len(cred.URLs) == 0 && len(addresses) > 0 {
		cred.URLs = []string{"mqtt://" + addresses[0]}
	}
	if len(cred.URLs) == 0 {
		cred.URLs, hint = []string{"mqtt://HUB:1883"}, " Put the hub's address in the place of HUB."
	}
	made, err := access.Add(accounts, access.Account{Name: string(id), Role: access.Camera, Cameras: []wire.ID{id}, Token: true}, "")
	if err != nil {
		return accountFailed(err, e.name+" user rm "+string(id))
	}
	cred.Token = made
	fmt.Fprintf(e.Stderr, "Account %s: camera (%s). For the configuration of its machine, mode 0600, shown only now:%s\n", id, accounts, hint)
	return write(e.Stdout, cred.YAML())
}

// brokerOf is how another machine reaches the broker of a configuration.
func brokerOf(cfg *config.Config, addresses []string) (urls []string, pin *cert.Pin) {
	if cfg.Broker == nil {
		return cfg.MQTT.URL, nil
	}
	scheme, listen := "mqtt", cfg.Broker.Listen
	if cfg.Broker.TLS.Listen != "" {
		scheme, listen = "mqtts", cfg.Broker.TLS.Listen
		if _, p, err := app.BrokerKey(cfg.Broker); err == nil {
			pin = &p
		}
	}
	all, err := enrol.Endpoint{Listen: listen}.Addresses(addresses)
	if err != nil {
		return nil, pin
	}
	for _, a := range all {
		urls = append(urls, scheme+"://"+a)
	}
	return urls, pin
}
