package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/usage"
	"camqtt/internal/wire"
	"camqtt/node/camera/kinds"
)

// nodeFlags are what camqtt node can be told of its camera.
type nodeFlags struct {
	source, name, size, rotate, check, discovery string
	fps                                          float64
	quality                                      int
	every                                        time.Duration
}

func (n *nodeFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&n.source, "source", "", "where pictures come from:\n"+kinds.Help())
	f.StringVar(&n.name, "name", "", "what people read (default ID)")
	f.StringVar(&n.size, "size", "", "greatest size, such as 1280x720 (default the camera's)")
	f.StringVar(&n.rotate, "rotate", "", "90, 180, 270, hflip or vflip")
	f.StringVar(&n.check, "check", "", "how closely pictures are looked at: full, markers or auto (default auto)")
	f.Float64Var(&n.fps, "fps", 0, "most pictures per second (default 10)")
	f.IntVar(&n.quality, "quality", 0, "JPEG quality, 1 to 100 (default the camera's)")
	f.DurationVar(&n.every, "snap-every", 0, "time between scheduled snapshots (default never)")
	f.StringVar(&n.discovery, "discovery", "", "announcement to Home Assistant: device, component or off (default device)")
}

// sources returns the configuration that the flags stand for.
func (n *nodeFlags) sources(id wire.ID, base wire.Base, given func(flag string) bool) []string {
	key := "cameras." + string(id) + "."
	all := []string{key + "source=" + n.source, key + "name=" + n.name, "base=" + string(base)}
	add := func(wanted bool, key, value string) {
		if wanted {
			all = append(all, key+"="+value)
		}
	}
	add(n.size != "", key+"size", n.size)
	add(n.rotate != "", key+"rotate", n.rotate)
	add(n.check != "", key+"check", n.check)
	add(given("fps"), key+"fps", strconv.FormatFloat(n.fps, 'g', -1, 64))
	add(given("quality"), key+"quality", strconv.Itoa(n.quality))
	add(given("snap-every"), key+"snap_every", n.every.String())
	add(n.discovery != "", "homeassistant.discovery", n.discovery)
	return all
}

func nodeCommand(e *env) *cobra.Command {
	var (
		t target
		n nodeFlags
		j joinFlags
	)
	c := &cobra.Command{
		Use:   "node [ID] --source URL",
		Short: "Run one camera, no file needed",
		Long: "Run one camera, no file needed.\n\n" +
			"With --join it comes in by the join string that \"camqtt user add --camera ID\" prints on the\n" +
			"hub's machine: it checks the hub's key, is given an account of its own and keeps that, so that\n" +
			"the next start needs neither --join nor --broker. What it keeps is a configuration that\n" +
			"\"camqtt run -c FILE -c KEPT\" reads as well. A join string is good once and for ten minutes;\n" +
			"as an argument other users of this machine can see it, --join - and --join-file hide it.\n\n" +
			"It also keeps the camera's settings and privacy through restarts.",
		Example: "  camqtt node --join - --source v4l2:\n" +
			"  camqtt node porch --source test: --broker mqtt://192.168.1.10\n" +
			"  camqtt node front --source rpicam: --size 1280x720 -c cameras.front.keep_warm=1m\n" +
			"  camqtt node yard --source ffmpeg:rtsp://viewer:password@192.168.1.30/stream1",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if n.source == "" && !j.given() {
				return usage.Error(errors.New("node: where do pictures come from? want --source, such as \"--source test:\""), e.name+" node --help")
			}
			id, file, err := j.settle(c.Context(), e, &t, args)
			if err != nil || j.only {
				return err
			}
			if n.source == "" {
				if n.source, err = onlySource(c.Context(), e, id); err != nil {
					return err
				}
			}
			first := "mqtt.url=" + defaultBroker // what find finds out takes its place
			if file != "" {
				first, t.config = file, append(t.config, file)
			}
			own := t.takeCamera(id)
			m, base, err := t.find(e)
			if err != nil {
				return err
			}
			cfg, err := e.loadFlags(slices.Concat([]string{first}, n.sources(id, base, c.Flags().Changed), own, j.sources()), map[string]string{
				".source": "--source", ".name": "--name", ".size": "--size", ".rotate": "--rotate", ".fps": "--fps", ".check": "--check",
				".quality": "--quality", ".snap_every": "--snap-every", ".discovery": "--discovery",
			})
			if err != nil {
				return err
			}
			cfg.MQTT = m
			return serve(c.Context(), e, cfg)
		},
	}
	t.flags(c)
	n.flags(c)
	j.flags(c)
	return c
}

// takeCamera takes the settings of a camera, cameras.ID.key=value, out of what -c was
// given: they say nothing of the broker.
func (t *target) takeCamera(id wire.ID) (own []string) {
	t.config = slices.DeleteFunc(t.config, func(source string) bool {
		is := strings.HasPrefix(source, "cameras."+string(id)+".") && strings.Contains(source, "=")
		if is {
			own = append(own, source)
		}
		return is
	})
	return own
}

// onlySource is the camera of a machine that has one.
func onlySource(ctx context.Context, e *env, id wire.ID) (string, error) {
	again := e.name + " node " + string(id) + " --source "
	all, err := e.detect(ctx)
	switch {
	case len(all) == 1:
		fmt.Fprintf(e.Stderr, "camqtt: pictures come from the only camera of this machine, %s (%s)\n", all[0].Source, printable(all[0].Name))
		return all[0].Source, nil
	case len(all) > 1:
		var names []string
		for _, f := range all {
			names = append(names, f.Source)
		}
		return "", usage.Error(fmt.Errorf("node: camera %s has joined, but this machine has several: %s", id, strings.Join(names, ", ")), again+all[0].Source)
	}
	none := fmt.Errorf("node: camera %s has joined, but where do pictures come from? No camera was found here", id)
	if err != nil {
		none = fmt.Errorf("%w: %w", none, err)
	}
	return "", usage.Error(none, again+"test:")
}
