package cli

import (
	"fmt"
	"net"
	"strconv"

	"camqtt/internal/app"
	"camqtt/internal/usage"

	"github.com/spf13/cobra"
)

// Where the demo listens unless told otherwise.
const (
	demoHTTP = "127.0.0.1:8080"
	demoMQTT = "127.0.0.1:1883"
)

func demoCommand(e *env) *cobra.Command {
	var http, mqtt string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show everything at once: broker, page and two test cameras, on this machine only",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for flag, addr := range map[string]string{"--http": http, "--mqtt": mqtt} {
				if host, _, err := net.SplitHostPort(addr); err != nil || !local(host) {
					return usage.Error(fmt.Errorf("%s %s: want an address of this machine, such as 127.0.0.1:8090; the demo lets everybody in", flag, addr), "")
				}
			}
			cfg, err := e.loadFlags([]string{
				"broker.listen=" + mqtt, "broker.data=", "dashboard.listen=" + http,
				"cameras.porch.source=test:?label=porch&hue=210", "cameras.porch.name=Porch",
				"cameras.garden.source=test:?label=garden&hue=120", "cameras.garden.name=Garden",
				"log.level=warn",
			}, map[string]string{"broker.listen": "--mqtt", "dashboard.listen": "--http"})
			if err != nil {
				return err
			}
			log, err := e.log(cfg.Log.Level, cfg.Log.Format)
			if err != nil {
				return err
			}
			again := fmt.Sprintf("%s demo --http %s --mqtt %s", e.name, free(http, ""), free(mqtt, free(http, "")))
			o := e.appOptions(cfg, log)
			o.MQTTHint, o.HTTPHint = again, again
			a, err := app.New(o)
			if err != nil {
				return err
			}
			welcome(e, a.HTTP, a.MQTT)
			return a.Serve(c.Context())
		},
	}
	c.Flags().StringVar(&http, "http", demoHTTP, "host:port of the page")
	c.Flags().StringVar(&mqtt, "mqtt", demoMQTT, "host:port of the broker")
	return c
}

// local reports whether a host is this machine alone.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// free returns an address that nothing listens on and that is not taken: this one, or the
// same with a port above it. It is for hints.
func free(addr, taken string) string {
	const tries = 50
	host, text, err := net.SplitHostPort(addr)
	port, numErr := strconv.Atoi(text)
	if err != nil || numErr != nil || port == 0 {
		return addr
	}
	for n := port; n < port+tries && n <= 65535; n++ {
		try := net.JoinHostPort(host, strconv.Itoa(n))
		if l, err := net.Listen("tcp", try); err == nil && try != taken {
			_ = l.Close()
			return try
		} else if err == nil {
			_ = l.Close()
		}
	}
	return addr
}

// welcome says where everything is and what to try.
func welcome(e *env, http, mqtt net.Addr) {
	host, port, _ := net.SplitHostPort(mqtt.String()) // a bound address has both
	at, client := "", ""
	if mqtt.String() != demoMQTT {
		at, client = " --broker mqtt://"+mqtt.String(), fmt.Sprintf(" -h %s -p %s", host, port)
	}
	fmt.Fprintf(e.Stdout, `camqtt demo: a broker, a page and two test cameras, on this machine only

  page    http://%s
  broker  mqtt://%s

Try next:
  %s snap porch%s
  mosquitto_pub%s -t cam/porch/cmd -m snap
  %s node attic --source test:%s        (a third camera appears on the page)

Ctrl-C ends it.
`, http, mqtt, e.name, at, client, e.name, at)
}
