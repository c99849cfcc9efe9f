package app

import (
	"context"
	"time"

	"camqtt/dashboard"
	"camqtt/internal/config"
	"camqtt/node/camera"
	"camqtt/node/camera/push"
)

// inbox makes the place where a board's pictures come in and notes who may put
// them there; nil for cameras that are asked.
func inbox(c config.Camera, boards *[]push.Camera) camera.PictureFeed {
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
func addPush(p *process, boards []push.Camera) error {
	c := p.cfg.Push
	if len(boards) == 0 {
		return nil
	}
	o := push.Options{
		Cameras: boards, Log: p.log.With("part", "push"),
		MaxBytes: c.MaxBytes, Connections: c.Connections, PerAddress: c.ConnectionsPerAddress,
	}
	var err error
	if c.Listen != "" {
		if c.TLS.Cert != "" {
			if o.TLS, err = p.tls.push(c.TLS); err != nil {
				return err
			}
		}
		if o.HTTP, err = p.listen("pictures that boards send", c.Listen, "another address for push.listen"); err != nil {
			return err
		}
		p.log.Info("boards may send pictures", "url", pushURL(c)+o.HTTP.Addr().String()+"/push/")
	}
	if c.TCP != "" {
		if o.TCP, err = p.listen("pictures that boards send", c.TCP, "another address for push.tcp"); err != nil {
			return err
		}
		p.log.Info("boards may send pictures", "url", "tcp://"+o.TCP.Addr().String())
	}
	s, err := push.New(o)
	if err != nil {
		return err
	}
	p.push = s
	p.add("push", s)
	return nil
}

// withPushCounters adds the pictures of boards that were refused, by reason.
func withPushCounters(p *process, others func() []dashboard.Counter) func() []dashboard.Counter {
	return func() []dashboard.Counter {
		all := others()
		if p.push == nil {
			return all
		}
		refused := p.push.Refused()
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

func pushURL(c config.Push) string {
	if c.TLS.Cert != "" {
		return "https://"
	}
	return "http://"
}
