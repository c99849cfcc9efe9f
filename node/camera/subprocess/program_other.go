//go:build !linux

package subprocess

import (
	"context"
	"os"
)

// keep starts the child, tells whether that worked, and reaps it. Processes that
// the child starts are its own to end on this system.
func (p *Process) keep(started chan<- error) {
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.finish(p.cmd.Wait())
	}
}

// waiting finds nothing on this system: a pipe that was not read in time is lost.
func waiting(*os.File, []byte) (n int, ended bool) { return 0, false }

func (p *Process) interrupt() { p.signal(os.Interrupt) }

func (p *Process) kill() { p.signal(os.Kill) }

func (p *Process) signal(sig os.Signal) {
	_ = p.cmd.Process.Signal(sig) // fails only when it has ended
}

// AwaitReady never comes true: stills are a Raspberry Pi's, which runs Linux.
func (p *Process) AwaitReady(ctx context.Context) bool {
	<-ctx.Done()
	return false
}

// TakePicture does nothing on this system.
func (p *Process) TakePicture() {}
