package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"camqtt/internal/app"
	"camqtt/internal/usage"
)

func keyCommand(e *env) *cobra.Command {
	var (
		sources []string
		asPEM   bool
	)
	c := &cobra.Command{
		Use:   "key FILE...",
		Short: "Print the key of this machine's broker, for mqtt.pin of its nodes",
		Long: "Print the key of this machine's broker as its nodes pin it (mqtt.pin, --pin). A broker without\n" +
			"certificate files makes its key at its first start; only who may read it can print it.",
		Example: "  camqtt key -c hub.yaml                 sha256:9f86d081...\n" +
			"  camqtt key -c hub.yaml --pem > hub.pem the certificate, for mosquitto_pub --cafile hub.pem",
		RunE: func(_ *cobra.Command, files []string) error {
			cfg, err := e.load(append(sources, files...))
			if err != nil {
				return err
			}
			if cfg.Broker == nil {
				return usage.Error(errors.New("key: this configuration has no broker: want that of the machine where the broker runs"), "")
			}
			if d := cfg.Broker.TLS.ACME.Domains; len(d) > 0 {
				return usage.Error(fmt.Errorf("key: the certificates of %s come from an authority and need no pin: nodes trust them by the system's authorities, or by mqtt.ca_file for one of your own", d[0]), "")
			}
			text, pin, err := app.BrokerKey(cfg.Broker)
			if err != nil {
				return err
			}
			if asPEM {
				return write(e.Stdout, text)
			}
			return write(e.Stdout, []byte(pin.String()+"\n"))
		},
	}
	c.Flags().StringArrayVarP(&sources, "config", "c", nil, "configuration: a YAML file, or key=value; may be repeated, later ones win")
	c.Flags().BoolVar(&asPEM, "pem", false, "print the certificate in its place")
	return c
}
