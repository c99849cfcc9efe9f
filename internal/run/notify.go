package run

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Check is one thing without which the program is not alive.
type Check struct {
	Name string
	// Alive returns nil when that thing has answered, and ctx's error when it has
	// not before ctx was done. What the program cannot help, such as a broker
	// elsewhere that is gone, is no reason to fail: a restart would not cure it.
	Alive func(ctx context.Context) error
}

// Notify is a service that tells systemd that the program is ready, that it is
// alive as often as the unit's WatchdogSec asks, and that it stops. It says the first
// two only when every check has answered, so that systemd restarts a program that
// hangs. List it last. Without systemd it does nothing.
type Notify struct {
	Checks []Check
	Log    *slog.Logger // nil: nothing is logged
}

// Serve returns when ctx is done.
func (n Notify) Serve(ctx context.Context) error {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every < 0 {
		every = 0
	}
	if os.Getenv("NOTIFY_SOCKET") == "" {
		<-ctx.Done()
		return nil
	}
	defer say(daemon.SdNotifyStopping)
	for !n.alive(ctx, firstAnswer) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(firstAnswer / 20):
		}
	}
	say(daemon.SdNotifyReady)
	if every == 0 {
		<-ctx.Done()
		return nil
	}
	// An answer may take a third of the time and comes a third after the last: that
	// leaves a third for a machine that is busy.
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if n.alive(ctx, every/3) {
				say(daemon.SdNotifyWatchdog)
			}
		}
	}
}

// firstAnswer is how long a check may take at the start before it is asked again.
const firstAnswer = 2 * time.Second

// alive asks every check.
func (n Notify) alive(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, c := range n.Checks {
		if err := c.Alive(ctx); err != nil {
			if n.Log != nil && ctx.Err() != context.Canceled {
				n.Log.Error("not alive, systemd is not told otherwise", "part", c.Name, "err", fmt.Errorf("within %s: %w", limit, err))
			}
			return false
		}
	}
	return true
}

// say sends one state. A message that systemd does not get costs a restart at
// worst, which is systemd's decision, so the error is of no use here.
func say(state string) { _, _ = daemon.SdNotify(false, state) }
