package app

import (
	"context"
	"crypto/rand"
	"log/slog"

	"camqtt/internal/config"
	"camqtt/internal/mqttclient"
	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// subscribe returns how a camera's source subscribes to a topic: on a connection of its
// own, to the broker of this process unless the source names another.
func (f *fleet) subscribe(c config.Camera, log *slog.Logger) camera.Subscribe {
	return func(ctx context.Context, s camera.Subscription) error {
		var o mqttclient.Options
		var err error
		if s.Broker != "" {
			o.URLs, o.Username, o.Password = []string{s.Broker}, c.User, c.Password()
		} else if o, err = f.hub.link(); err != nil {
			return err
		}
		o.ClientID, o.Log = "camqtt-"+string(c.ID)+"-"+rand.Text()[:8], log
		o.Subscriptions = []mqttclient.Subscription{{Filter: s.Topic}}
		o.RefusedHint = "The account may not read the topic of the camera " + string(c.ID)
		o.Receive = func(m wire.Message) { s.Receive(m.Payload, m.Retained) }
		l, err := mqttclient.New(o)
		if err != nil {
			return err
		}
		return l.Serve(ctx)
	}
}
