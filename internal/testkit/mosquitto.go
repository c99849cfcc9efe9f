package testkit

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Mosquitto is a running Eclipse Mosquitto broker.
type Mosquitto struct {
	Addr string // host:port

	t    testing.TB
	conf string
	p    *Program // nil while it is stopped
}

// StartMosquitto runs Debian's mosquitto on loopback until the test ends.
func StartMosquitto(t testing.TB, extra ...string) *Mosquitto {
	t.Helper()
	Tool(t, "mosquitto")
	port := FreePort(t)
	m := &Mosquitto{Addr: fmt.Sprintf("127.0.0.1:%d", port), t: t, conf: filepath.Join(t.TempDir(), "mosquitto.conf")}
	conf := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\n", port)
	for _, line := range extra {
		conf += line + "\n"
	}
	if err := os.WriteFile(m.conf, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	m.Start()
	return m
}

// Start starts it again after [Mosquitto.Stop], on the same port.
func (m *Mosquitto) Start() {
	m.t.Helper()
	m.p = Start(m.t, Tool(m.t, "mosquitto"), "-c", m.conf)
	m.p.listens(m.Addr)
}

// Pid is its process.
func (m *Mosquitto) Pid() int { return m.p.Cmd.Process.Pid }

// Stop kills it.
func (m *Mosquitto) Stop() {
	m.t.Helper()
	if m.p != nil {
		m.p.kill()
		m.p = nil
	}
}

// Program is a child that a test started.
type Program struct {
	Cmd *exec.Cmd

	t    testing.TB
	done chan struct{}
	err  error

	stdout Output
	stderr Output
}

// Start runs a program until it ends or the test does.
func Start(t testing.TB, name string, args ...string) *Program {
	t.Helper()
	p := &Program{Cmd: exec.Command(name, args...), t: t, done: make(chan struct{})}
	p.Cmd.Stdout, p.Cmd.Stderr = &p.stdout, &p.stderr
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.Cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() { // ends with the program, at the latest in the cleanup below
		p.err = p.Cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		syscall.Kill(-p.Cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	})
	return p
}

// Out returns what the program has written to standard output so far.
func (p *Program) Out() string { return p.stdout.String() }

// Err returns what the program has written to standard error so far.
func (p *Program) Err() string { return p.stderr.String() }

// Signal sends a signal to the program.
func (p *Program) Signal(s syscall.Signal) {
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.t.Error(err)
	}
}

// Ended reports whether the program has ended.
func (p *Program) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// listens waits until the program listens at an address.
func (p *Program) listens(addr string) {
	p.t.Helper()
	Until(p.t, filepath.Base(p.Cmd.Path)+" listens", func() bool {
		if p.Ended() {
			p.t.Fatalf("%s ended by itself\n%s%s", p.Cmd.Path, p.Out(), p.Err())
		}
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// kill ends the program without a word, and waits for it.
func (p *Program) kill() {
	p.t.Helper()
	_ = p.Cmd.Process.Kill() // it may have ended
	p.Wait()
}

// Wait returns the exit status once the program has ended, and fails the test
// when it has not within [Patience].
func (p *Program) Wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(Patience):
		p.t.Fatalf("%s has not ended within %s\n%s%s", p.Cmd.Path, Patience, p.Out(), p.Err())
	}
	return p.Cmd.ProcessState.ExitCode()
}

// Run runs a program to its end and returns what it wrote to standard output.
func Run(t testing.TB, name string, args ...string) (stdout []byte, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	// When it takes too long whatever it has started goes too, and nobody waits for
	// those who hold its output open.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = Patience
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			t.Fatalf("%s %v has not ended within %s\n%s", name, args, 2*Patience, errs.String())
		}
		if cmd.ProcessState == nil {
			t.Fatalf("run %s: %v", name, err)
		}
	}
	return out.Bytes(), errs.String(), cmd.ProcessState.ExitCode()
}
