// Package subprocess runs the programs that make pictures, and says why they ended.
package subprocess

import (
	"cmp"
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
	"sync/atomic"
	"time"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/mjpeg"
)

const (
	// stopGrace is how long a program may take to end after it was asked to.
	stopGrace = 2 * time.Second
	// endGrace is how long a program that has closed its output may live on.
	endGrace = time.Second
	// hangGrace is how long a program that says it has no pictures may need to
	// find some again. It is short, so that what it says is told before the caller
	// gives the camera up without knowing why.
	hangGrace = time.Second
	// restGrace is how long the pipes of an ended program are waited for. Only a
	// process that has left the program's group can keep them open so long.
	restGrace = 250 * time.Millisecond
	// pipeRoom is what a pipe holds (pipe(7)), in bytes.
	pipeRoom = 64 << 10
)

// Program is a child process that writes pictures to its standard output.
type Program struct {
	Argv   []string
	Max    int // bytes of the largest picture
	Redact redact.Redactor
	// every is the time between pictures, where that is known.
	Every time.Duration
	// drive, unless nil, makes the running program take pictures. It returns soon
	// after ctx, which ends with the program at the latest.
	Drive func(ctx context.Context, p *Process)
	// at, unless nil, says when a picture was taken whose first byte came at first.
	At func(first time.Time) time.Time
	// grace stands in for stopGrace unless it is 0.
	Grace time.Duration
	// report, unless nil, says what the program does while it runs.
	Report *mjpeg.StatusReport
}

// Run starts the program and emits its pictures until ctx is done (nil) or it
// ends (*Error).
func (g Program) Run(ctx context.Context, emit func(camera.Frame)) error {
	p, err := start(g.Argv)
	if err != nil {
		return g.startError(err)
	}
	p.grace = cmp.Or(g.Grace, stopGrace)
	var taken atomic.Int64
	hang := newHangWatch()
	running, over := context.WithCancel(ctx)
	defer over()
	var wg sync.WaitGroup
	wg.Go(func() { // ends when the program has ended: its standard error does, or has a deadline then
		_, _ = io.Copy(io.MultiWriter(&p.said, hang), p.stderr) // however it ends, it is the end
	})
	wg.Go(func() { // ends when ctx is done and the program stopped, or when it has ended by itself
		p.supervise(ctx, hang, &taken, max(hangGrace, 2*g.Every))
		over()
	})
	if g.Drive != nil {
		wg.Go(func() { g.Drive(running, p) }) // ends with running, which the one above ends
	}
	got := &mjpeg.Received{}
	if g.Report != nil {
		g.Report.Set(func() string { return g.doing(p, got) })
	}
	in := mjpeg.NewReader(got.Reader(p.stdout), g.Max, got)
	failed := g.read(ctx, in, func(f camera.Frame) {
		if f.Damage == nil {
			taken.Add(1)
		}
		emit(f)
	})
	if errors.Is(failed, mjpeg.ErrJunk) {
		p.stop()
	}
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
	n := int(taken.Load())
	if errors.Is(failed, mjpeg.ErrJunk) {
		return &camera.Error{Code: camera.Stalled, Text: fmt.Sprintf("program %q was ended after %s: it wrote %s", g.name(), camera.PictureCount(n), got.Describe(g.Redact.Line)), Err: failed}
	}
	return g.endError(p, n, in.Broken(n, g.Redact.Line))
}

// name is the program's, as it may be shown.
func (g Program) name() string { return g.Redact.Line(filepath.Base(g.Argv[0])) }

// doing is what the program has written and said so far.
func (g Program) doing(p *Process, got *mjpeg.Received) string {
	text := fmt.Sprintf("program %q has written %s", g.name(), got.Describe(g.Redact.Line))
	if line := p.said.lastLine(); line != "" {
		text += " and says: " + g.Redact.Line(line)
	}
	if found := diagnose(p.said.String()); found.cure != "" {
		text += ": " + found.cure
	}
	return text
}

// supervise ends the program when ctx is done, or when it says that the camera
// hangs and nothing comes within grace: it would go on saying so for ever.
func (p *Process) supervise(ctx context.Context, hang *hangWatch, taken *atomic.Int64, grace time.Duration) {
	for {
		select {
		case <-ctx.Done():
			p.stop()
			return
		case <-p.exited:
			return
		case <-hang.seen:
		}
		before := taken.Load()
		select {
		case <-ctx.Done():
		case <-p.exited:
		case <-time.After(grace):
			if taken.Load() == before {
				p.hung.Store(true)
				p.stop()
				return
			}
		}
	}
}

// read emits pictures until the output ends, and returns why it did. Once ctx is
// done it goes on reading, so that the program is not held up in a write while it
// ends.
func (g Program) read(ctx context.Context, in *mjpeg.Reader, emit func(camera.Frame)) error {
	for {
		pic, err := in.ReadPicture(ctx, emit)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			continue
		}
		at := in.First()
		if g.At != nil {
			at = g.At(at)
		}
		emit(camera.Frame{JPEG: pic, Buffer: in.Buffer(), At: at, Info: in.Info()})
	}
}

func (g Program) startError(err error) *camera.Error {
	name := g.Redact.Line(g.Argv[0])
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return &camera.Error{Code: camera.Config, Text: fmt.Sprintf("program %q not found: is it installed, and in the PATH of this service?", name), Err: err}
	case errors.Is(err, fs.ErrPermission):
		return &camera.Error{Code: camera.Config, Text: fmt.Sprintf("program %q may not be run by this user", name), Err: err}
	}
	return &camera.Error{Code: camera.NoCamera, Text: fmt.Sprintf("start program %q: %s", name, g.Redact.Line(err.Error())), Err: err}
}

func (g Program) endError(p *Process, n int, instead string) *camera.Error {
	text := fmt.Sprintf("program %q ended after %s", g.Redact.Line(filepath.Base(g.Argv[0])), camera.PictureCount(n))
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		text += ", " + exit.String() // "exit status 1", "signal: killed"
	} else {
		text += ", exit status 0"
	}
	found := diagnose(p.said.String())
	switch {
	case p.hung.Load():
		return &camera.Error{Code: camera.Stalled, Text: fmt.Sprintf("program %q gets no pictures from the camera: %s", g.Redact.Line(filepath.Base(g.Argv[0])), cableCure), Err: p.err}
	case exit == nil && instead != "":
		found = exitDiagnosis{code: camera.Config}
	case exit != nil && (exit.ExitCode() == 126 || exit.ExitCode() == 127):
		found = exitDiagnosis{code: camera.Config} // a shell or env did not find the command, or may not run it
	}
	if instead != "" {
		text += ": it wrote " + instead
	}
	if line := p.said.lastLine(); line != "" {
		text += ": " + g.Redact.Line(line)
	}
	if found.cure != "" {
		text += ": " + found.cure
	}
	return &camera.Error{Code: found.code, Denied: found.cure == loginCure, Text: text, Err: p.err}
}

// Process is a started program.
type Process struct {
	cmd            *exec.Cmd
	stdout, stderr *output
	grace          time.Duration // how long it may take to end when asked to
	said           tail
	exited         chan struct{} // closed when it is reaped
	err            error         // what Wait said; to be read after exited
	hung           atomic.Bool   // stopped because the camera hangs

	mu   sync.Mutex // held to signal and to reap
	gone bool       // reaped: its number may be another's
}

// start runs argv with no input, the two outputs piped, in a process group of its
// own. The group is killed when its leader has ended.
func start(argv []string) (*Process, error) {
	p := &Process{cmd: exec.Command(argv[0], argv[1:]...), grace: stopGrace, exited: make(chan struct{})}
	p.cmd.Env = childEnv(os.Environ())
	// Pipes of our own: those of exec.Cmd are closed by Wait before they are read.
	var out, errs *os.File
	var err error
	if p.stdout, out, err = newOutput(); err != nil {
		return nil, err
	}
	defer out.Close()
	if p.stderr, errs, err = newOutput(); err != nil {
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
func (p *Process) finish(err error) {
	p.err = err
	deadline := time.Now().Add(restGrace)
	_ = p.stdout.file.SetReadDeadline(deadline) // fails only if closed, which is as good
	_ = p.stderr.file.SetReadDeadline(deadline)
	close(p.exited)
}

// stop asks the child to end, kills it if it does not, and waits until it is gone.
func (p *Process) stop() {
	p.interrupt()
	timer := time.NewTimer(p.grace)
	defer timer.Stop()
	select {
	case <-p.exited:
		return
	case <-timer.C:
	}
	p.kill()
	<-p.exited
}

// output is what a program writes, at our end of the pipe.
type output struct {
	file *os.File // not embedded: it copies itself past Read
	late int      // bytes that may still be read when restGrace is over
}

func newOutput() (ours *output, theirs *os.File, err error) {
	r, w, err := os.Pipe()
	return &output{r, pipeRoom}, w, err
}

// Close closes our end.
func (o *output) Close() error { return o.file.Close() }

// Read reads. What was in the pipe at the program's end is read even when
// restGrace is over: it was held up here, on a machine with too much to do, and
// has the program's last words in it. More than that is not ours to read.
func (o *output) Read(b []byte) (int, error) {
	n, err := o.file.Read(b)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	n, ended := waiting(o.file, b[:min(len(b), o.late)])
	o.late -= n
	switch {
	case ended:
		return 0, io.EOF
	case n > 0:
		return n, nil
	}
	return 0, err
}
