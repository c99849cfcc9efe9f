package cli

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/config"
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
	_ = c.MarkFlagRequired("source") // fails only for a flag that does not exist
}

// sources returns the configuration that the flags stand for.
func (n *nodeFlags) sources(id wire.ID, base wire.Base) []string {
	key := "cameras." + string(id) + "."
	all := []string{key + "source=" + n.source, key + "name=" + n.name, "base=" + string(base), "mqtt.url=" + defaultBroker}
	add := func(given bool, key, value string) {
		if given {
			all = append(all, key+"="+value)
		}
	}
	add(n.size != "", key+"size", n.size)
	add(n.rotate != "", key+"rotate", n.rotate)
	add(n.fps != 0, key+"fps", strconv.FormatFloat(n.fps, 'g', -1, 64))
	add(n.quality != 0, key+"quality", strconv.Itoa(n.quality))
	add(n.every != 0, key+"snap_every", n.every.String())
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
			"  camqtt node porch --source 'exec:rpicam-vid -n -t 0 --codec mjpeg --width {width:1280} --height {height:720} --framerate {fps:10} --flush -o -'",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := cameraID(args[0])
			if err != nil {
				return err
			}
			o, base, err := t.settle(e)
			if err != nil {
				return err
			}
			cfg, err := e.loadOptions(config.Options{Sources: n.sources(id, base)})
			if err != nil {
				return err
			}
			cfg.MQTT.URL, cfg.MQTT.Username, cfg.MQTT.Password = o.URLs, o.Username, config.Secret(o.Password)
			cfg.MQTT.CAFile = t.caFile
			return e.serve(c.Context(), cfg)
		},
	}
	t.flags(c)
	n.flags(c)
	return c
}
