package cli

import (
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/wire"
)

// nodeFlags are what camqtt node can be told of its camera.
type nodeFlags struct {
	source, name, size, rotate, discovery string
	fps                                   float64
	quality                               int
	every                                 time.Duration
}

func (n *nodeFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&n.source, "source", "", "where pictures come from: test:, dir:FOLDER, exec:PROGRAM, http://CAMERA")
	f.StringVar(&n.name, "name", "", "what people read (default ID)")
	f.StringVar(&n.size, "size", "", "greatest size, such as 1280x720 (default the camera's)")
	f.StringVar(&n.rotate, "rotate", "", "90, 180, 270, hflip or vflip")
	f.Float64Var(&n.fps, "fps", 0, "most pictures per second (default 10)")
	f.IntVar(&n.quality, "quality", 0, "JPEG quality, 1 to 100 (default the camera's)")
	f.DurationVar(&n.every, "snap-every", 0, "time between scheduled snapshots (default never)")
	f.StringVar(&n.discovery, "discovery", "", "announcement to Home Assistant: device, component or off (default device)")
}

// sources returns the configuration that the flags stand for.
func (n *nodeFlags) sources(id wire.ID, base wire.Base, given func(flag string) bool) []string {
	key := "cameras." + string(id) + "."
	all := []string{key + "source=" + n.source, key + "name=" + n.name, "base=" + string(base), "mqtt.url=" + defaultBroker}
	add := func(wanted bool, key, value string) {
		if wanted {
			all = append(all, key+"="+value)
		}
	}
	add(n.size != "", key+"size", n.size)
	add(n.rotate != "", key+"rotate", n.rotate)
	add(given("fps"), key+"fps", strconv.FormatFloat(n.fps, 'g', -1, 64))
	add(given("quality"), key+"quality", strconv.Itoa(n.quality))
	add(given("snap-every"), key+"snap_every", n.every.String())
	add(n.discovery != "", "homeassistant.discovery", n.discovery)
	return all
}

func (e *env) nodeCommand() *cobra.Command {
	var (
		t target
		n nodeFlags
	)
	c := &cobra.Command{
		Use:   "node ID --source URL",
		Short: "Run one camera, no file needed",
		Example: "  camqtt node porch --source test: --broker mqtt://192.168.1.10\n" +
			"  camqtt node front --source rpicam: --size 1280x720\n" +
			"  camqtt node yard --source ffmpeg:rtsp://viewer:password@192.168.1.30/stream1",
		Args: oneCamera,
		RunE: func(c *cobra.Command, args []string) error {
			id, err := cameraID(args[0])
			if err != nil {
				return err
			}
			if n.source == "" {
				return usage(errors.New("node: where do pictures come from? want --source, such as \"--source test:\""), e.name+" node --help")
			}
			m, base, err := t.find(e)
			if err != nil {
				return err
			}
			cfg, err := e.loadFlags(n.sources(id, base, c.Flags().Changed), map[string]string{
				".source": "--source", ".name": "--name", ".size": "--size", ".rotate": "--rotate", ".fps": "--fps",
				".quality": "--quality", ".snap_every": "--snap-every", ".discovery": "--discovery",
			})
			if err != nil {
				return err
			}
			cfg.MQTT = m
			return e.serve(c.Context(), cfg)
		},
	}
	t.flags(c)
	n.flags(c)
	return c
}
