package cli

import (
	"context"
	"fmt"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/usage"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// ask gives a camera a command or settings and prints the result.
func ask(ctx context.Context, e *env, t *target, id wire.ID, do func(context.Context, *viewer.Viewer) (wire.Result, error)) error {
	return t.with(ctx, e, id, func(ctx context.Context, v *viewer.Viewer, _ *mqttclient.Link) error {
		found, settle := present(ctx, e, v, id)
		asking, cancel := context.WithTimeout(found, askTime)
		defer cancel()
		r, err := do(asking, v)
		if err = settle(err); err != nil {
			return answered(e, err)
		}
		text := ""
		if r.Text != "" {
			text = ": " + r.Text
		}
		fmt.Fprintf(e.Stdout, "%s (%d ms)\n", oneLine(string(r.Code)+text), r.TookMS)
		return nil
	})
}

// give gives a camera a command and prints its result.
func give(ctx context.Context, e *env, t *target, id wire.ID, cmd wire.Command) error {
	if _, err := wire.ParseCommand([]byte(cmd.Words()), time.Now()); err != nil {
		return usage.Error(err, "")
	}
	return ask(ctx, e, t, id, func(ctx context.Context, v *viewer.Viewer) (wire.Result, error) { return v.Do(ctx, id, cmd) })
}
