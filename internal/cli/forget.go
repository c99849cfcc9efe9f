package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/hass"
	"camqtt/internal/link"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

func (e *env) forgetCommand() *cobra.Command {
	var (
		t      target
		prefix string
		force  bool
	)
	c := &cobra.Command{
		Use:   "forget ID",
		Short: "Clear what the broker keeps of a camera that is no more, Home Assistant's discovery included",
		Args:  oneCamera,
		RunE: func(c *cobra.Command, args []string) error {
			id, err := cameraID(args[0])
			if err != nil {
				return err
			}
			_, base, err := t.settle(e)
			if err != nil {
				return err
			}
			h := hass.Options{Prefix: prefix, Base: base}
			if err := h.Check(); err != nil {
				return usage(err, "")
			}
			return t.with(c.Context(), e, id, func(ctx context.Context, v *viewer.Viewer, l *link.Link) error {
				if !force && e.answers(ctx, v, id) {
					return &hinted{
						fmt.Errorf("camera %s is online and would announce itself again: stop its node first", id),
						e.name + " forget --force " + string(id),
					}
				}
				// Home Assistant first loses the entities, also where the broker's
				// process removes them when info has gone, and then what they show.
				first := append(h.Clear(hass.CameraObject(id)), h.Clear(hass.BridgeObject(lastOf(v, id)))...)
				first = append(first, wire.Message{Topic: base.Topic(id, wire.KindInfo), QoS: 1, Retained: true})
				if err := l.Publish(ctx, first...); err != nil {
					return err
				}
				select {
				case <-time.After(forgetPause):
				case <-ctx.Done(): // whoever is in a hurry gets it all the same
					ctx = context.WithoutCancel(ctx)
				}
				if err := l.Publish(ctx, base.Cleared(id)...); err != nil {
					return err
				}
				fmt.Fprintf(e.Stdout, "%s is forgotten\n", id)
				return nil
			})
		},
	}
	t.flags(c)
	c.Flags().StringVar(&prefix, "discovery-prefix", hass.DefaultPrefix, "topic prefix that Home Assistant listens to")
	c.Flags().BoolVar(&force, "force", false, "also if the camera is online")
	return c
}

// forgetPause is longer than the broker's process takes to notice.
const forgetPause = 1500 * time.Millisecond

// lastOf returns the bridge that only this camera hangs from, or "".
func lastOf(v *viewer.Viewer, id wire.ID) wire.ID {
	c, _ := v.Camera(id)
	for _, other := range v.Cameras() {
		if other.ID != id && other.Info.Bridge == c.Info.Bridge {
			return ""
		}
	}
	return c.Info.Bridge
}

// answers reports whether the camera's node is there.
func (e *env) answers(ctx context.Context, v *viewer.Viewer, id wire.ID) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := v.Do(ctx, id, wire.Command{Verb: wire.Hello})
	var refused *viewer.Refused
	return err == nil || errors.As(err, &refused)
}
