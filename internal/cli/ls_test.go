package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// TestListProblem says the worst of a camera: why no pictures come, that nobody
// may see it, or that they are not as asked.
func TestListProblem(t *testing.T) {
	broken := &wire.Problem{Code: wire.Stalled, Text: "no picture\x1b[2J for 3s"}
	for want, s := range map[string]wire.State{
		"stalled: no picture?[2J for 3s": {Error: broken, Warning: "w", Privacy: true},
		"privacy is on":                  {Privacy: true},
		"privacy is on; warning: w":      {Warning: "w", Privacy: true},
		"warning: its one stream":        {Warning: "its one stream"},
		"":                               {},
	} {
		var out bytes.Buffer
		e := &env{Process: Process{Stdout: &out}}
		all := list([]viewer.Camera{{ID: "porch", Status: wire.Online, State: s}}, time.Now())
		if err := e.printList(all, ""); err != nil {
			t.Fatal(err)
		}
		line := strings.Split(out.String(), "\n")[1]
		if _, got, _ := strings.Cut(line, "never"); strings.TrimSpace(got) != want || all[0].Warning != s.Warning {
			t.Errorf("printed %q, want %q at its end", line, want)
		}
	}
}
