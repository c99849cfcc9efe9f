package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"camqtt/dashboard"
	"camqtt/internal/cert"
	"camqtt/internal/config"
	"camqtt/node/camera"
	"camqtt/node/camera/push"
)

// inbox makes the place where a board's pictures come in and notes who may put
// them there; nil for cameras that are asked.
func (b *plant) inbox(c config.Camera, boards *[]push.Camera) camera.PictureFeed {
	if !c.Pushed() {
		return nil
	}
	in := push.NewInbox()
	*boards = append(*boards, push.Camera{
		ID: string(c.ID), Token: string(c.PushToken), From: c.Networks(),
		Deliver: func(ctx context.Context, jpeg []byte, at time.Time) error {
			return in.Deliver(ctx, camera.Frame{JPEG: jpeg, At: at})
		},
	})
	return in
}

// addPush adds the ports that boards send their pictures to.
func (b *plant) addPush(boards []push.Camera) error {
	c := b.cfg.Push
	if len(boards) == 0 {
		return nil
	}
	o := push.Options{
		Cameras: boards, Log: b.log.With("part", "push"),
		MaxBytes: c.MaxBytes, Connections: c.Connections, PerAddress: c.ConnectionsPerAddress,
	}
	var err error
	if c.Listen != "" {
		if c.TLS.Cert != "" {
			if o.TLS, err = b.pushTLS(c.TLS); err != nil {
				return err
			}
		}
		if o.HTTP, err = b.listen("pictures that boards send", c.Listen, "another address for push.listen"); err != nil {
			return err
		}
		b.log.Info("boards may send pictures", "url", pushURL(c)+o.HTTP.Addr().String()+"/push/")
	}
	if c.TCP != "" {
		if o.TCP, err = b.listen("pictures that boards send", c.TCP, "another address for push.tcp"); err != nil {
			return err
		}
		b.log.Info("boards may send pictures", "url", "tcp://"+o.TCP.Addr().String())
	}
	s, err := push.New(o)
	if err != nil {
		return err
	}
	b.push = s
	b.add("push", s)
	return nil
}

// withPushCounters adds the pictures of boards that were refused, by reason.
func (b *plant) withPushCounters(others func() []dashboard.Counter) func() []dashboard.Counter {
	return func() []dashboard.Counter {
		all := others()
		if b.push == nil {
			return all
		}
		refused := b.push.Refused()
		for _, reason := range push.Reasons() {
			c := dashboard.Counter{Name: "push_refused_" + reason + "_total", Help: "Pictures of boards that were refused: " + reason + "."}
			for _, r := range refused {
				if r.Reason == reason {
					c.Value += float64(r.Count)
				}
			}
			all = append(all, c)
		}
		return all
	}
}

// pushTLS is the port's own certificate.
func (b *plant) pushTLS(c config.PushTLS) (*tls.Config, error) {
	s, err := b.source("push port's certificate", cert.Options{Cert: c.Cert, Key: c.Key})
	if err != nil {
		return nil, usage(fmt.Errorf("push.tls: %w", err), "")
	}
	return s.Config(cert.ServerOptions{Protocols: []string{"http/1.1"}})
}

func pushURL(c config.Push) string {
	if c.TLS.Cert != "" {
		return "https://"
	}
	return "http://"
}
