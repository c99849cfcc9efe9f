package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/homeassistant"
	"camqtt/internal/mqttclient"
	"camqtt/internal/usage"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

func forgetCommand(e *env) *cobra.Command {
	var (
		t      target
		prefix string
		force  bool
	)
	c := &cobra.Command{
		Use:   "forget ID",
		Short: "Clear what the broker keeps of a removed camera, Home Assistant's discovery included",
		Long: "Clear what the broker keeps of a removed camera, Home Assistant's discovery included, and read back\n" +
			"whether it is gone. The account must be allowed to publish what the camera publishes: on camqtt's own\n" +
			"broker an admin may, and the camera's own account. There the hub tells Home Assistant later when that is\n" +
			"not connected now; on another broker delete the device in Home Assistant too if it was not connected.",
		Args: oneCamera,
		RunE: func(c *cobra.Command, args []string) error {
			id, err := cameraID(args[0])
			if err != nil {
				return err
			}
			_, base, err := t.settle(e)
			if err != nil {
				return err
			}
			h := homeassistant.Options{Prefix: prefix, Base: base}
			if err := h.Check(); err != nil {
				return usage.Error(err, "")
			}
			f := &forgetting{env: e, id: id, kept: &leftovers{id: id, hass: h, topics: map[string]bool{}}, anyPrefix: !c.Flags().Changed("discovery-prefix")}
			t.tap = f.kept.hear
			return t.with(c.Context(), e, "", func(ctx context.Context, v *viewer.Viewer, l *mqttclient.Link) error {
				if !force && answers(ctx, e, v, id) {
					return usage.Hint(
						fmt.Errorf("camera %s is online and would announce itself again: stop its node first", id),
						e.name+" forget --force "+string(id),
					)
				}
				return f.run(ctx, v, l)
			})
		},
	}
	t.flags(c)
	c.Flags().StringVar(&prefix, "discovery-prefix", homeassistant.DefaultPrefix, "topic prefix that Home Assistant listens to (default the hub's, else "+homeassistant.DefaultPrefix+")")
	c.Flags().BoolVar(&force, "force", false, "also if the camera is online")
	return c
}

// forgetting clears one camera and looks whether it is gone.
type forgetting struct {
	*env
	id        wire.ID
	kept      *leftovers
	anyPrefix bool // that of the hub is used, where it tells
}

const (
	forgetPause = 1500 * time.Millisecond // longer than the broker's process takes to notice
	forgetTries = 4                       // readings until what is kept remains
)

func (f *forgetting) run(ctx context.Context, v *viewer.Viewer, l *mqttclient.Link) error {
	before, hidden, err := f.look(ctx, l)
	if err != nil {
		return err
	}
	if len(before) == 0 && len(hidden) == 0 {
		return usage.Hint(fmt.Errorf("the broker keeps nothing of a camera %s", f.id), f.name+" ls")
	}
	wanted := slices.Clone(before)
	for _, filter := range hidden {
		if !strings.Contains(filter, "+") {
			wanted = append(wanted, filter) // it may be there
		}
	}
	for _, m := range f.kept.hass.Clear(homeassistant.BridgeObject(lastOf(v, f.id))) {
		wanted = append(wanted, m.Topic)
	}
	if err := f.clear(ctx, l, wanted); err != nil {
		return err
	}
	var kept []string
	for range forgetTries {
		if kept, hidden, err = f.kept.read(ctx, l); err != nil {
			return err
		}
		if len(kept) == 0 {
			break
		}
	}
	return f.report(before, kept, hidden)
}

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

// look reads what is kept, below the prefix that the broker's own process names.
func (f *forgetting) look(ctx context.Context, l *mqttclient.Link) (kept, hidden []string, err error) {
	if f.anyPrefix {
		if err := <-l.Subscribe(ctx, mqttclient.Subscription{Filter: f.kept.hass.Base.Hub(), QoS: 1}); err == nil {
			if err := f.kept.settle(ctx); err != nil {
				return nil, nil, err
			}
		}
		f.kept.mu.Lock()
		if h := f.kept.prefix; h != "" && (homeassistant.Options{Prefix: h}).Check() == nil {
			f.kept.hass.Prefix = h
		}
		f.kept.mu.Unlock()
	}
	return f.kept.read(ctx, l)
}

// clear has discovery cleared, and the rest a moment later: Home Assistant first loses the
// entities, also where the broker's process removes them when info has gone, and then
// what they show.
func (f *forgetting) clear(ctx context.Context, l *mqttclient.Link, topics []string) error {
	info := f.kept.hass.Base.Topic(f.id, wire.KindInfo)
	all := f.kept.clears(topics)
	at := slices.IndexFunc(all, func(m wire.Message) bool { return m.Topic == info }) + 1
	if err := l.Publish(ctx, all[:at]...); err != nil {
		return fmt.Errorf("clear what is kept: %w", err)
	}
	select {
	case <-time.After(forgetPause):
	case <-ctx.Done(): // a person in a hurry gets it all the same
		ctx = context.WithoutCancel(ctx)
	}
	if err := l.Publish(ctx, all[at:]...); err != nil {
		return fmt.Errorf("clear what is kept: %w", err)
	}
	return nil
}

// report says what has become of it.
func (f *forgetting) report(before, kept, hidden []string) error {
	own := f.kept.hass.Base.Topic(f.id, "")
	discovery := slices.ContainsFunc(kept, func(topic string) bool { return !strings.HasPrefix(topic, own) })
	may := "an admin may, and the camera's own account"
	if discovery {
		may = "an admin may; Home Assistant's account may clear discovery"
	}
	switch {
	case len(kept) > 0:
		return usage.Hint(
			fmt.Errorf("%s is not forgotten: the broker still keeps %s. This account may not clear that, or the camera is back: %s", f.id, listed3(kept), may),
			f.name+" forget "+string(f.id)+" --broker mqtt://ADMIN@HOST --password-file FILE",
		)
	case len(before) == 0:
		return fmt.Errorf("it is not known whether %s is forgotten: this account may not read %s; an admin may", f.id, listed3(hidden))
	}
	fmt.Fprintf(f.Stdout, "%s is forgotten\n", f.id)
	if len(hidden) > 0 {
		fmt.Fprintf(f.Stderr, "camqtt: not looked at, because this account may not read it: %s\n", listed3(hidden))
	}
	return nil
}

// listed3 names the first three of some topics.
func listed3(topics []string) string {
	const most = 3
	if len(topics) > most+1 {
		return fmt.Sprintf("%s and %d more", strings.Join(topics[:most], ", "), len(topics)-most)
	}
	return strings.Join(topics, ", ")
}

// answers reports whether the camera's node is there.
func answers(ctx context.Context, e *env, v *viewer.Viewer, id wire.ID) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := v.Do(ctx, id, wire.Command{Verb: wire.Hello})
	var refused *viewer.Refused
	return err == nil || errors.As(err, &refused)
}
