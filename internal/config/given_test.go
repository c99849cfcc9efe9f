package config_test

import (
	"reflect"
	"testing"

	"camqtt/internal/config"
	"camqtt/internal/wire"
)

// Keys of arguments and of the environment are told apart from those of files.
func TestGiven(t *testing.T) {
	given := map[wire.ID][]string{}
	_, err := config.Load(config.Options{
		Sources: []string{"a.yaml", "cameras.porch.fps=5", "cameras.yard.source=test:", "broker="},
		Environ: []string{"CAMQTT_CAMERAS_PORCH_QUALITY=70"},
		ReadFile: func(string) ([]byte, error) {
			return []byte("cameras:\n  - id: porch\n    source: \"test:\"\n    name: Porch\n"), nil
		},
		Given: given,
	})
	if want := map[wire.ID][]string{"porch": {"fps", "quality"}, "yard": {"source"}}; err != nil || !reflect.DeepEqual(given, want) {
		t.Errorf("given %v, %v; want %v", given, err, want)
	}
}
