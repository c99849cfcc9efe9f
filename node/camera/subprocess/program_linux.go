package subprocess

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"camqtt/node/camera"
)

// keep starts the child, tells whether that worked, and reaps it. It is bound to
// its thread for as long as the child lives because the kernel sends Pdeathsig
// when the thread that started the child ends, not the process (prctl(2)).
func (p *Process) keep(started chan<- error) {
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

// waiting reads what a pipe has in it, without waiting for more. It reports true
// when no process can write to it.
func waiting(f *os.File, b []byte) (n int, ended bool) {
	conn, err := f.SyscallConn()
	if err != nil || len(b) == 0 {
		return 0, false
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { n, failed = unix.Read(int(fd), b) }); err != nil || failed != nil {
		return 0, false // closed, or empty (EAGAIN: our pipes do not block)
	}
	return n, n == 0
}

func (p *Process) interrupt() { p.signal(syscall.SIGINT) }

func (p *Process) kill() { p.signal(syscall.SIGKILL) }

// signal reaches every process of the child's group.
func (p *Process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig) // fails only when no process is left
	}
}

// readyPoll is how often a program is looked at that is not ready yet.
const readyPoll = 20 * time.Millisecond

// AwaitReady waits until the child handles SIGUSR1; before that the signal would
// kill it. It asks the kernel (proc_pid_status(5), SigCgt) because what programs
// say of their progress differs from version to version. It reports false when
// ctx is done first.
func (p *Process) AwaitReady(ctx context.Context) bool {
	status := fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)
	for {
		text, err := os.ReadFile(status) // it fails when the child has ended, as ctx then says
		if err == nil && catches(string(text), syscall.SIGUSR1) {
			return ctx.Err() == nil
		}
		if !camera.Sleep(ctx, readyPoll) {
			return false
		}
	}
}

// catches says whether a process with this status has a handler for a signal.
func catches(status string, sig syscall.Signal) bool {
	for line := range strings.Lines(status) {
		if mask, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return err == nil && bits>>(uint(sig)-1)&1 == 1
		}
	}
	return false
}

// TakePicture asks the child for a picture. Only the child itself: what it has
// started would die of the signal.
func (p *Process) TakePicture() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		_ = syscall.Kill(p.cmd.Process.Pid, syscall.SIGUSR1) // fails only when it has ended
	}
}
