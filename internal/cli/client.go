package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/app"
	"camqtt/internal/brokerurl"
	"camqtt/internal/config"
	"camqtt/internal/mqttclient"
	"camqtt/internal/securefile"
	"camqtt/internal/usage"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// defaultBroker is where commands look for a broker without another address.
const defaultBroker = "mqtt://127.0.0.1:1883"

// target is how a command finds the broker.
type target struct {
	broker       string
	base         string
	config       []string
	passwordFile string
	caFile       string
	pins         []string
	cert, key    string

	tap func(wire.Message) // hears what a command receives; nil: it does not
}

func (t *target) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&t.broker, "broker", "", "broker: a host, host:port, or a URL of mqtt, mqtts, ws or wss; a user and password may be in it (default CAMQTT_BROKER, then the configuration, then "+defaultBroker+")")
	f.StringVar(&t.base, "base", "", "first part of every topic (default CAMQTT_BASE, then the configuration, then cam)")
	f.StringArrayVarP(&t.config, "config", "c", nil, "configuration file that says where the broker is")
	f.StringVar(&t.passwordFile, "password-file", "", "file that holds the password")
	f.StringVar(&t.caFile, "ca-file", "", "file with the certificate authority of the broker (PEM)")
	f.StringArrayVar(&t.pins, "pin", nil, "key of the broker, as camqtt key prints it on its machine: sha256:...")
	f.StringVar(&t.cert, "cert-file", "", "file with a certificate to show to the broker (PEM)")
	f.StringVar(&t.key, "key-file", "", "file with that certificate's private key (PEM)")
}

// settle finds out where the broker is, and how to reach it.
func (t *target) settle(e *env) (mqttclient.Options, wire.Base, error) {
	m, base, err := t.find(e)
	if err != nil {
		return mqttclient.Options{}, "", err
	}
	o, err := app.LinkOptions(m)
	if err != nil {
		return mqttclient.Options{}, "", usage.Error(err, "")
	}
	return o, base, nil
}

// configured is what files and the environment say of the broker. Without a file
// only those variables count that are about it.
func (t *target) configured(e *env) (*config.Config, error) {
	o := config.Options{Sources: t.config, Environ: e.Environ, ClientOnly: true}
	if len(t.config) == 0 {
		o.Environ = nil
		for _, v := range e.Environ {
			if strings.HasPrefix(v, "CAMQTT_MQTT_") || strings.HasPrefix(v, "CAMQTT_BASE=") || strings.HasPrefix(v, "CREDENTIALS_DIRECTORY=") {
				o.Environ = append(o.Environ, v)
			}
		}
	}
	return e.loadOptions(o)
}

// find finds out where the broker is: flag, environment, configuration, default.
func (t *target) find(e *env) (config.MQTT, wire.Base, error) {
	cfg, err := t.configured(e)
	if err != nil {
		return config.MQTT{}, "", err
	}
	m, b := cfg.MQTT, cfg.Base
	if t.base != "" {
		if b, err = wire.ParseBase(t.base); err != nil {
			return m, "", usage.Error(err, "")
		}
	}
	if len(m.URL) == 0 && cfg.Broker != nil {
		m = nearby(cfg.Broker, m)
	}
	for _, url := range []string{t.broker, e.lookup("CAMQTT_BROKER")} {
		if url != "" {
			m.URL = brokerurl.Words(url)
			break
		}
	}
	if len(m.URL) == 0 {
		m.URL = []string{defaultBroker}
	}
	if t.passwordFile != "" {
		file, err := securefile.LocateSecret(t.passwordFile, e.lookup("CREDENTIALS_DIRECTORY"))
		if err != nil {
			return m, "", usage.Error(fmt.Errorf("read the password: %w", err), "")
		}
		text, err := securefile.ReadSecret(file)
		if err != nil {
			return m, "", usage.Error(fmt.Errorf("read the password: %w", err), "")
		}
		m.Password = config.Secret(strings.TrimRight(string(text), "\r\n"))
	}
	if t.caFile != "" || len(t.pins) > 0 { // either replaces what the configuration trusts
		m.CAFile, m.Pin = t.caFile, t.pins
	}
	if t.cert != "" || t.key != "" {
		m.Cert, m.Key = t.cert, t.key
	}
	return m, b, nil
}

// nearby is how to reach the broker of a configuration from its own machine.
func nearby(b *config.Broker, m config.MQTT) config.MQTT {
	switch {
	case b.Listen != "":
		m.URL = []string{"mqtt://" + b.Listen}
	case b.TLS.Listen != "":
		m.URL = []string{"mqtts://" + b.TLS.Listen}
		if m.CAFile != "" || len(m.Pin) > 0 || len(b.TLS.ACME.Domains) > 0 {
			break
		}
		// Who may not read the key is told so when the broker is not trusted.
		if _, pin, err := app.BrokerKey(b); err == nil {
			m.Pin = []string{pin.String()}
		}
	}
	return m
}

// job is what a command does on a connection.
type job func(context.Context, *viewer.Viewer, *mqttclient.Link) error

// with connects, runs do, and disconnects. It asks for one camera, or, without an id, for
// all. A broker that cannot be reached is an error at once: a person waits at a prompt.
func (t *target) with(ctx context.Context, e *env, id wire.ID, do job) error {
	err := t.once(ctx, e, viewer.Options{Camera: id}, mqttclient.Options{Eager: true}, do)
	if errors.Is(err, mqttclient.ErrUnanswered) && ctx.Err() == nil { // nothing of it has arrived
		err = t.once(ctx, e, viewer.Options{Camera: id}, mqttclient.Options{}, do)
	}
	return err
}

// once is one attempt of with.
func (t *target) once(ctx context.Context, e *env, vo viewer.Options, how mqttclient.Options, do job) error {
	o, base, err := t.settle(e)
	if err != nil {
		return err
	}
	log, err := e.log("error", "text")
	if err != nil {
		return err
	}
	parent := ctx
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var l *mqttclient.Link
	vo.Base, vo.Link, vo.Log = base, app.LateLink{Link: &l}, log
	v, err := viewer.New(vo)
	if err != nil {
		return err
	}
	o.ClientID, o.Log, o.OneShot, o.Eager = v.ClientID(), log, true, how.Eager
	o.Subscriptions = v.Subscriptions()
	o.Receive, o.Up = t.tapped(v.Receive), v.LinkUp
	if l, err = mqttclient.New(o); err != nil {
		return usage.Error(err, "")
	}
	ended := make(chan struct{})
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() { // ends when the connection does, at the latest with stop below
		defer close(ended)
		if err := l.Serve(serving); err != nil {
			cancel(err)
		}
	}()
	defer func() { stop(); <-ended }()
	if err := l.Await(ctx); err != nil {
		return t.unreachable(e, o, err)
	}
	err = do(ctx, v, l)
	if errors.Is(err, mqttclient.ErrDown) {
		<-ended // which says why
	}
	switch {
	case parent.Err() != nil && err != nil:
		return errors.New("interrupted")
	case parent.Err() == nil && errors.Is(context.Cause(ctx), mqttclient.ErrUnanswered):
		return context.Cause(ctx)
	case err != nil && parent.Err() == nil && ctx.Err() != nil:
		return t.unreachable(e, o, context.Cause(ctx)) // the connection went: that explains what do says
	}
	return err
}

// tapped has the target hear messages too.
func (t *target) tapped(receive func(wire.Message)) func(wire.Message) {
	if t.tap == nil {
		return receive
	}
	return func(m wire.Message) { t.tap(m); receive(m) }
}

// unreachable says what to do about a broker that does not answer.
func (t *target) unreachable(e *env, o mqttclient.Options, err error) error {
	switch {
	case !errors.Is(err, syscall.ECONNREFUSED):
		return err
	case len(o.URLs) == 1 && o.URLs[0] == defaultBroker:
		return usage.Hint(err, e.name+" demo, or name a broker with --broker")
	}
	return usage.Hint(err, "is the broker running there, on that port? One of camqtt lets other machines in only with broker.listen: 0.0.0.0:1883")
}

// find makes sure that there is a camera to ask, so that a wrong id costs a
// second and not the time of a cold camera.
func find(ctx context.Context, e *env, v *viewer.Viewer, id wire.ID) error {
	_, err := v.Find(ctx, id, findTime)
	if errors.Is(err, viewer.ErrUnknown) {
		return usage.Hint(err, e.name+" ls")
	}
	return err
}

// present is find beside a question that has been asked already. It ends found when the
// camera is not there. Settle takes how the question went, waits for the search to end, and
// returns its error where nothing has answered.
func present(ctx context.Context, e *env, v *viewer.Viewer, id wire.ID) (found context.Context, settle func(error) error) {
	found, cancel := context.WithCancelCause(ctx)
	missing := make(chan error, 1)
	go func() { // ends with the search, which settle ends
		err := find(found, e, v, id)
		if err != nil {
			cancel(err)
		}
		missing <- err
	}()
	return found, func(err error) error {
		if !errors.Is(err, viewer.ErrNoAnswer) {
			cancel(nil)
			<-missing
		} else if why := <-missing; why != nil {
			err = why
		}
		cancel(nil)
		return err
	}
}

// findTime is how long cameras have to show themselves.
const findTime = 1500 * time.Millisecond

// cameraID reads an id given as an argument.
func cameraID(s string) (wire.ID, error) {
	id, err := wire.ParseID(s)
	if err != nil {
		return "", usage.Error(err, "")
	}
	return id, nil
}

// answered turns a refusal into the error that a person reads, with what can be
// done about an unknown camera.
func answered(e *env, err error) error {
	if errors.Is(err, viewer.ErrNoAnswer) {
		return usage.Hint(err, e.name+" ls; if the camera is online, this account may lack the right (set needs the role operator), or its line is too slow for such large pictures")
	}
	var refused *viewer.Refused
	if errors.As(err, &refused) {
		return errors.New(oneLine(err.Error()))
	}
	return err
}

// askTime is how long a command waits for a camera by default. A node answers after the
// timeout= of its source, 20 s by default, and a few seconds of its own.
const askTime = 45 * time.Second
