package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// What stands behind the camera in the words of topics.md is what the flags say.
func TestCameraWith(t *testing.T) {
	for line, want := range map[string]string{
		"porch":                          "",
		"porch fps=5 for=30":             "",
		"porch fps=5 for=30s max_age=1m": "max_age",
		"porch colour=red":               "colour",
		"porch fps=5 many":               "many",
		"porch garden":                   "which camera?",
		"":                               "which camera?",
		"porch fps=fast":                 "fps=fast",
	} {
		var fps float64
		var length time.Duration
		c := &cobra.Command{Use: "start"}
		c.Flags().Float64Var(&fps, "fps", 0, "")
		c.Flags().DurationVar(&length, "for", 0, "")
		err := cameraWith("fps", "for")(c, strings.Fields(line))
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want a word on %q", line, err, want)
		case want == "" && line != "porch" && (fps != 5 || length != 30*time.Second || !c.Flags().Changed("fps")):
			t.Errorf("%q: fps %v, for %s", line, fps, length)
		}
	}
}
