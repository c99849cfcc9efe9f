package camera

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"camqtt/internal/jpeg"
)

const (
	// stopGrace is how long a program may take to end after it was asked to.
	stopGrace = 2 * time.Second
	// endGrace is how long a program that has closed its output may live on.
	endGrace = time.Second
	// restGrace is for reading what an ended program has left in its pipes. Only
	// a process that has left the program's group can keep them open so long.
	restGrace = 250 * time.Millisecond
)

// program is a child process that writes pictures to its standard output.
type program struct {
	argv   []string
	max    int // bytes of the largest picture
	redact redactor
}

// run starts the program and emits its pictures until ctx is done (nil) or it
// ends (*Error).
func (g program) run(ctx context.Context, emit func(Frame)) error {
	p, err := start(g.argv)
	if err != nil {
		return g.startError(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { // ends when the program has ended: its standard error does, or has a deadline then
		_, _ = io.Copy(&p.said, p.stderr) // however it ends, it is the end
	})
	wg.Go(func() { // ends when ctx is done and the program stopped, or when it has ended by itself
		select {
		case <-ctx.Done():
			p.stop()
		case <-p.exited:
		}
	})
	n, skipped := g.read(ctx, p.stdout, emit)
	select {
	case <-p.exited:
	case <-time.After(endGrace):
		p.stop()
	}
	wg.Wait()
	p.stdout.Close()
	p.stderr.Close()
	if ctx.Err() != nil {
		return nil
	}
	return g.endError(p, n, skipped)
}

// read emits pictures until the output ends. Once ctx is done it goes on
// reading, so that the program is not held up in a write while it ends.
func (g program) read(ctx context.Context, r io.Reader, emit func(Frame)) (n int, skipped int64) {
	split := jpeg.NewSplitter(r, jpeg.SplitterOptions{Max: g.max})
	lost := cuts{split: split}
	for {
		pic, err := split.Next()
		if ctx.Err() == nil {
			lost.tell(emit)
		}
		if err != nil {
			return n, split.Skipped()
		}
		if ctx.Err() == nil {
			n++
			emit(Frame{JPEG: pic, At: split.First()})
		}
	}
}

func (g program) startError(err error) *Error {
	name := g.redact.line(g.argv[0])
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return &Error{Code: Config, Text: fmt.Sprintf("program %q not found: is it installed, and in the PATH of this service?", name), Err: err}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Code: Config, Text: fmt.Sprintf("program %q may not be run by this user", name), Err: err}
	}
	return &Error{Code: NoCamera, Text: fmt.Sprintf("start program %q: %s", name, g.redact.line(err.Error())), Err: err}
}

func (g program) endError(p *process, n int, skipped int64) *Error {
	text := fmt.Sprintf("program %q ended after %s", g.redact.line(filepath.Base(g.argv[0])), pictures(n))
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		text += ", " + exit.String() // "exit status 1", "signal: killed"
	} else {
		text += ", exit status 0"
	}
	code := codeOfOutput(p.said.String())
	switch {
	case exit == nil && n == 0 && skipped > 0:
		code = Config
		text += fmt.Sprintf(": it wrote %d bytes, but no whole JPEG", skipped)
	case exit != nil && (exit.ExitCode() == 126 || exit.ExitCode() == 127):
		code = Config // a shell or env did not find the command, or may not run it
	}
	if line := p.said.lastLine(); line != "" {
		text += ": " + g.redact.line(line)
	}
	return &Error{Code: code, Text: text, Err: p.err}
}

// codeOfOutput tells from what camera programs say (rpicam, libcamera, ffmpeg,
// V4L2 tools) why they ended.
func codeOfOutput(said string) Code {
	said = strings.ToLower(said)
	has := func(phrases ...string) bool {
		return slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(said, p) })
	}
	switch {
	case has("device or resource busy", "failed to acquire camera", "in use by another process", "already in use"):
		return CameraBusy
	case has("unrecognized option", "unrecognised option", "unknown option", "invalid option", "option not found",
		"unrecognised codec", "401 unauthorized", "403 forbidden", "configured for the legacy camera stack"):
		return Config
	}
	return NoCamera
}

// process is a started program.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *os.File
	said           tail
	exited         chan struct{} // closed when it is reaped
	err            error         // what Wait said; to be read after exited

	mu   sync.Mutex // held to signal and to reap
	gone bool       // reaped: its number may be another's
}

// start runs argv with no input, the two outputs piped, in a process group of its
// own. The group is killed when its leader has ended.
func start(argv []string) (*process, error) {
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), exited: make(chan struct{})}
	p.cmd.Env = childEnv(os.Environ())
	var err error
	var out, errs *os.File
	// Pipes of our own: those of exec.Cmd are closed by Wait before they are read.
	if p.stdout, out, err = os.Pipe(); err != nil {
		return nil, err
	}
	defer out.Close()
	if p.stderr, errs, err = os.Pipe(); err != nil {
		p.stdout.Close()
		return nil, err
	}
	defer errs.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, errs
	started := make(chan error)
	go p.keep(started) // ends when the child is reaped, or could not be started; run waits for exited
	if err := <-started; err != nil {
		p.stdout.Close()
		p.stderr.Close()
		return nil, err
	}
	return p, nil
}

// childEnv leaves out what is meant for this program only: its settings, which
// hold passwords, and its line to the service manager.
func childEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "CAMQTT_") || strings.HasPrefix(name, "LISTEN_") || strings.HasPrefix(name, "WATCHDOG_") ||
			name == "NOTIFY_SOCKET" || name == "CREDENTIALS_DIRECTORY"
	})
}

// finish is called when the child is reaped.
func (p *process) finish(err error) {
	p.err = err
	deadline := time.Now().Add(restGrace)
	_ = p.stdout.SetReadDeadline(deadline) // fails only if closed, which is as good
	_ = p.stderr.SetReadDeadline(deadline)
	close(p.exited)
}

// stop asks the child to end, kills it if it does not, and waits until it is gone.
func (p *process) stop() {
	p.interrupt()
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-p.exited:
		return
	case <-timer.C:
	}
	p.kill()
	<-p.exited
}
