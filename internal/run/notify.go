package run

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notify is a service that tells systemd that the program is ready, that it is
// alive as often as the unit's WatchdogSec asks, and that it stops. List it
// last. Without systemd it does nothing.
type Notify struct{}

// Serve returns when ctx is done.
func (Notify) Serve(ctx context.Context) error {
	say(daemon.SdNotifyReady)
	defer say(daemon.SdNotifyStopping)
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			say(daemon.SdNotifyWatchdog)
		}
	}
}

// say sends one state. A message that systemd does not get costs a restart at
// worst, which is systemd's decision, so the error is of no use here.
func say(state string) { _, _ = daemon.SdNotify(false, state) }
