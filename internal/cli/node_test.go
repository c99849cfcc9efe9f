package cli

import (
	"slices"
	"testing"

	"camqtt/internal/config"
	"camqtt/internal/wire"
)

// Every key of the camera can be set beside its source; what says where the broker is
// stays apart.
func TestNodeCameraKeys(t *testing.T) {
	at := target{config: []string{"hub.yaml", "cameras.porch.check=markers", "cameras.porch.keep_warm=1m", "cameras.other.fps=3"}}
	own := at.takeCamera("porch")
	if want := []string{"hub.yaml", "cameras.other.fps=3"}; !slices.Equal(at.config, want) {
		t.Errorf("%q is left, want %q", at.config, want)
	}
	n := nodeFlags{source: "test:", check: "full"}
	sources := append(n.sources("porch", wire.Base("cam"), func(string) bool { return false }), "mqtt.url=mqtt://127.0.0.1:1")
	for name, c := range map[string]struct {
		own  []string
		want string
	}{"--check": {nil, "full"}, "-c": {own, "markers"}} {
		cfg, err := config.Load(config.Options{Sources: slices.Concat(sources, c.own)})
		if err != nil || len(cfg.Cameras) != 1 || cfg.Cameras[0].Check != c.want {
			t.Errorf("%s: %+v, %v, want check %s", name, cfg, err, c.want)
		}
	}
}
