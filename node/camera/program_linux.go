package camera

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// keep starts the child, tells whether that worked, and reaps it. It is bound to
// its thread for as long as the child lives because the kernel sends Pdeathsig
// when the thread that started the child ends, not the process (prctl(2)).
func (p *process) keep(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	// The child's number, which is also its group's, cannot be given to another
	// before it is reaped; so what is left of the group is killed before that.
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	}
	if err == nil {
		p.kill()
	}
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	p.finish(p.cmd.Wait())
}

func (p *process) interrupt() { p.signal(syscall.SIGINT) }

func (p *process) kill() { p.signal(syscall.SIGKILL) }

// signal reaches every process of the child's group.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig) // fails only when nobody is left
	}
}
