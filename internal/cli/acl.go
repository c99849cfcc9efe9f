package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"camqtt/internal/access"
	"camqtt/internal/app"
	"camqtt/internal/brokeracl"
	"camqtt/internal/brokerurl"
	"camqtt/internal/config"
	"camqtt/internal/homeassistant"
	"camqtt/internal/usage"
	"camqtt/internal/wire"
)

// rightsFlags are what the command acl can be told.
type rightsFlags struct {
	engine   string
	config   []string
	data     string
	base     string
	prefix   string
	cameras  []string
	people   map[access.Role]*[]string // NAME or NAME=ID,ID
	announce bool
	out      string
}

func (r *rightsFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.engine, "engine", "", strings.Join(brokeracl.Names(), ", "))
	f.StringArrayVarP(&r.config, "config", "c", nil, "configuration with cameras or accounts: a YAML file, or key=value; may be repeated")
	f.StringVar(&r.data, "data", "", "an embedded broker's data folder, whose accounts are taken over (default that of the configuration)")
	f.StringVar(&r.base, "base", "", "first part of every topic (default CAMQTT_BASE, then the configuration, then cam)")
	f.StringVar(&r.prefix, "discovery-prefix", "", "topic prefix that Home Assistant listens to (default that of the configuration, else "+homeassistant.DefaultPrefix+")")
	f.StringArrayVar(&r.cameras, "camera", nil, "ids of cameras that run elsewhere, repeated or with commas: an account each, named like the camera")
	r.people = map[access.Role]*[]string{}
	for _, role := range access.Roles()[1:] {
		what := "account with the role " + role.String() + ": NAME for all cameras, or NAME=ID,ID"
		switch role {
		case access.Bridge:
			what = "account that publishes several cameras: NAME=ID,ID"
		case access.Admin:
			what = "account that may do everything: NAME"
		}
		r.people[role] = f.StringArray(role.String(), nil, what+"; may be repeated")
	}
	f.BoolVar(&r.announce, "announce", false, "let cameras publish their own Home Assistant discovery, with which they can define any entity")
	f.StringVarP(&r.out, "out", "o", "-", "file to write; - is standard output")
}

func aclCommand(e *env) *cobra.Command {
	var r rightsFlags
	c := &cobra.Command{
		Use:   "acl --engine NAME",
		Short: "Write the rights of cameras and people for another broker: " + strings.Join(brokeracl.Names(), ", "),
		Long: "Write the rights of topics.md in the form of another broker. The comment at its beginning says where\n" +
			"the file goes, how to make passwords, how to reload, and what that broker cannot do like camqtt's own.\n" +
			"There are no secrets in it.\n\n" +
			"Accounts are those of the flags, those of the embedded broker where there are any, and those that the\n" +
			"configuration needs: one for each camera, named like it, and the operator \"dashboard\" for a page; or, where\n" +
			"mqtt.username or mqtt.url names a user, that one for all of it.",
		Example: "  camqtt acl --engine mosquitto --camera front,garden --operator dashboard -o camqtt.acl\n" +
			"  camqtt acl --engine nats -c bridge.yaml --homeassistant hass\n" +
			"  camqtt acl --engine emqx -c hub.yaml --viewer guest=porch,garden",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := rights(e, &r)
			if err != nil {
				return err
			}
			return e.save(c.Context(), r.out, text)
		},
	}
	r.flags(c)
	return c
}

// rights writes what the flags ask for.
func rights(e *env, r *rightsFlags) ([]byte, error) {
	const help = " acl --help"
	o := brokeracl.Options{Engine: r.engine}
	all, err := r.named()
	if err != nil {
		return nil, usage.Error(fmt.Errorf("acl: %w", err), e.name+help)
	}
	configured, err := configured(e, r, &o)
	if err != nil {
		return nil, err
	}
	o.Accounts = distinct(append(configured, all...))
	h := homeassistant.Options{Prefix: o.Space.Discovery, Base: o.Space.Base}
	if err := h.Check(); err != nil {
		return nil, usage.Error(fmt.Errorf("acl: %w", err), "")
	}
	if r.announce {
		o.Announce = func(id wire.ID) (topics []string) {
			for _, m := range h.Clear(homeassistant.CameraObject(id)) {
				topics = append(topics, m.Topic)
			}
			return topics
		}
	}
	text, err := brokeracl.Write(o)
	if errors.Is(err, brokeracl.ErrNoAccounts) {
		return nil, usage.Error(fmt.Errorf("acl: %w: want --camera ID, --viewer NAME or the like, or cameras in -c FILE", err), e.name+help)
	}
	if err != nil {
		return nil, usage.Error(fmt.Errorf("acl: %w", err), e.name+help)
	}
	return text, nil
}

// named are the accounts that the flags name.
func (r *rightsFlags) named() (all []access.Account, err error) {
	for _, list := range r.cameras {
		for s := range strings.SplitSeq(list, ",") {
			id, err := wire.ParseID(s)
			if err != nil {
				return nil, err
			}
			all = append(all, cameraAccount(id))
		}
	}
	for _, role := range access.Roles() {
		if r.people[role] == nil {
			continue
		}
		for _, s := range *r.people[role] {
			name, list, listed := strings.Cut(s, "=")
			u := userFlags{role: role.String()}
			if listed {
				u.cameras = strings.Split(list, ",")
			}
			a, err := u.account(name)
			if err != nil {
				return nil, err
			}
			all = append(all, a)
		}
	}
	return all, nil
}

func cameraAccount(id wire.ID) access.Account {
	return access.Account{Name: string(id), Role: access.Camera, Cameras: []wire.ID{id}}
}

// configured are the accounts that the configuration and the embedded broker have, and
// sets where the topics are.
func configured(e *env, r *rightsFlags, o *brokeracl.Options) (all []access.Account, err error) {
	cfg, err := e.loadOptions(config.Options{Sources: r.config, Environ: e.Environ, ClientOnly: true})
	if err != nil {
		return nil, err
	}
	o.Space = access.Space{Base: cfg.Base, Discovery: cfg.HomeAssistant.Prefix}
	if r.base != "" {
		if o.Space.Base, err = wire.ParseBase(r.base); err != nil {
			return nil, usage.Error(fmt.Errorf("acl: %w", err), "")
		}
	}
	if r.prefix != "" {
		o.Space.Discovery = r.prefix
	}
	data := r.data
	if data == "" && cfg.Broker != nil {
		data = cfg.Broker.Data
	}
	if data != "" {
		if all, err = access.List(app.AccountsFile(data)); err != nil {
			return nil, err
		}
	}
	return append(needed(cfg), all...), nil
}

// needed are the accounts with which a configuration comes in at a broker elsewhere.
func needed(cfg *config.Config) (all []access.Account) {
	user := cfg.MQTT.Username
	for _, s := range cfg.MQTT.URL {
		if u, err := brokerurl.Parse(s); err == nil && u.User.Username() != "" {
			user = u.User.Username() // it wins over the key
		}
	}
	page := access.Account{Name: "dashboard", Role: access.Operator, All: true}
	var ids []wire.ID
	for _, c := range cfg.Cameras {
		ids = append(ids, c.ID)
	}
	switch {
	case user == "":
		for _, id := range ids {
			all = append(all, cameraAccount(id))
		}
	case len(ids) == 1:
		all = append(all, access.Account{Name: user, Role: access.Camera, Cameras: ids})
	case len(ids) > 1:
		all = append(all, access.Account{Name: user, Role: access.Bridge, Cameras: ids})
	}
	if cfg.Dashboard != nil {
		if user != "" {
			page.Name = user
		}
		all = append(all, page)
	}
	return all
}

// distinct leaves out accounts that are there in the same words already.
func distinct(all []access.Account) (out []access.Account) {
	seen := map[string]bool{}
	for _, a := range all {
		words := fmt.Sprintf("%s %s %s", a.Name, a.Role, a.Of())
		if !seen[words] {
			seen[words] = true
			out = append(out, a)
		}
	}
	return out
}
