package cli

import (
	"context"
	"fmt"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/mqttclient"
	"camqtt/internal/redact"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// listed is a camera as ls --json prints it.
type listed struct {
	ID        wire.ID       `json:"id"`
	Name      string        `json:"name"`
	Status    string        `json:"status"` // online, sleeping, offline or lost
	Streaming bool          `json:"streaming"`
	Viewers   int           `json:"viewers"`
	Size      string        `json:"size"`
	LastFrame *wire.Time    `json:"last_frame"`
	AgeMS     *int64        `json:"age_ms"`
	Privacy   bool          `json:"privacy"`
	Error     *wire.Problem `json:"error"`
	Warning   string        `json:"warning"` // what is not as asked while pictures come
}

func lsCommand(e *env) *cobra.Command {
	var (
		t      target
		asJSON bool
		wait   time.Duration
	)
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the cameras on the broker",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return t.with(c.Context(), e, "", func(ctx context.Context, v *viewer.Viewer, _ *mqttclient.Link) error {
				select { // cameras answer hello within half a second
				case <-ctx.Done():
					return context.Cause(ctx)
				case <-time.After(wait):
				}
				askClocks(ctx, v, wait)
				list := list(v.Cameras(), time.Now())
				if asJSON {
					return e.writeJSON(list)
				}
				at := ""
				if t.broker != "" {
					at = " --broker " + redact.Template(t.broker)
				}
				return printList(e, list, at)
			})
		},
	}
	t.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().DurationVar(&wait, "wait", time.Second, "how long to wait for answers; a camera whose retained messages were cleared appears after its next heartbeat (stats_every, 30 s)")
	return c
}

const (
	maxClocks = 50          // cameras that are asked
	doubtful  = time.Minute // age of a picture from which a clock may be what is wrong
)

// askClocks asks those cameras alone of which it cannot be told how old their last picture
// is: what a broker keeps says nothing of clocks, and a picture that seems old, or of the
// future, may be neither.
func askClocks(ctx context.Context, v *viewer.Viewer, wait time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var asked sync.WaitGroup
	n := 0
	for _, c := range v.Cameras() {
		t := c.State.LastFrame
		if t == nil || c.Clock.Known() || c.Status != wire.Online || n == maxClocks {
			continue
		}
		if age := time.Since(t.Time); age >= 0 && age < doubtful {
			continue
		}
		n++
		asked.Go(func() { // ends with ctx; the answer is in what the viewer knows
			_, _ = v.Do(ctx, c.ID, wire.Command{Verb: wire.Hello})
		})
	}
	asked.Wait()
}

func list(all []viewer.Camera, now time.Time) []listed {
	out := make([]listed, 0, len(all))
	for _, c := range all {
		l := listed{
			ID: c.ID, Name: c.Info.Name, Status: c.Status, Streaming: c.State.Streaming, Viewers: c.State.Viewers,
			Size: wire.Size{Width: c.State.Width, Height: c.State.Height}.String(), LastFrame: c.State.LastFrame, Privacy: c.State.Privacy, Error: c.State.Error, Warning: c.Warning(),
		}
		if c.Lost(now) {
			l.Status = "lost"
		}
		if l.Status != wire.Online { // what it last said of itself is over
			l.Streaming, l.Viewers = false, 0
		}
		if l.LastFrame != nil {
			age := c.Age(l.LastFrame.Time, now).Milliseconds()
			l.AgeMS = &age
		}
		out = append(out, l)
	}
	return out
}

func printList(e *env, all []listed, at string) error {
	if len(all) == 0 {
		_, err := fmt.Fprintf(e.Stdout, "no cameras on this broker\nTry: %s node porch --source test:%s\n", e.name, at)
		return err
	}
	w := tabwriter.NewWriter(e.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tSTATUS\tSTREAMING\tSIZE\tLAST PICTURE\tPROBLEM")
	for _, c := range all {
		streaming, age, size := "no", "never", "-"
		if c.Streaming {
			streaming = fmt.Sprintf("yes, %d watching", c.Viewers)
		}
		if c.AgeMS != nil {
			age = roughly(time.Duration(*c.AgeMS)*time.Millisecond) + " ago"
		}
		if c.Size != "0x0" && c.Size != "" {
			size = c.Size
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.ID, printable(c.Name), printable(c.Status), streaming, size, age, c.problem())
	}
	return w.Flush()
}

// problem is what people should know of a camera, the worst first; "" for nothing.
func (l listed) problem() string {
	switch {
	case l.Error != nil:
		return printable(string(l.Error.Code) + ": " + l.Error.Text)
	case l.Privacy && l.Warning == "":
		return "privacy is on"
	case l.Privacy: // it may be about that
		return printable("privacy is on; warning: " + l.Warning)
	case l.Warning != "":
		return printable("warning: " + l.Warning)
	}
	return ""
}

// roughly says a duration in its largest unit.
func roughly(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
