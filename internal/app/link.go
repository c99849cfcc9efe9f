package app

import (
	"context"

	"camqtt/internal/cert"
	"camqtt/internal/config"
	"camqtt/internal/mqttclient"
	"camqtt/internal/wire"
)

// LinkOptions returns how to reach the broker that a configuration names.
func LinkOptions(m config.MQTT) (mqttclient.Options, error) {
	o := mqttclient.Options{URLs: m.URL, Username: m.Username, Password: string(m.Password), NoRetain: !m.Retain}
	trust := cert.ClientOptions{CAFile: m.CAFile, Cert: m.Cert, Key: m.Key}
	for _, s := range m.Pin {
		p, err := cert.ParsePin(s)
		if err != nil {
			return o, err
		}
		trust.Pins = append(trust.Pins, p)
	}
	var err error
	o.TLS, err = cert.Client(trust)
	return o, err
}

// LateLink lets a viewer or a node be created before the connection that feeds it.
type LateLink struct{ Link **mqttclient.Link }

// Publish publishes on the connection.
func (l LateLink) Publish(ctx context.Context, msgs ...wire.Message) error {
	return (*l.Link).Publish(ctx, msgs...)
}

// Subscribe subscribes on the connection.
func (l LateLink) Subscribe(ctx context.Context, subs ...mqttclient.Subscription) <-chan error {
	return (*l.Link).Subscribe(ctx, subs...)
}

// Unsubscribe unsubscribes on the connection.
func (l LateLink) Unsubscribe(filters ...string) { (*l.Link).Unsubscribe(filters...) }
