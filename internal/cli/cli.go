// Package cli is the command line: it reads arguments and configuration, builds
// what they ask for out of the other packages, runs it, and turns what went
// wrong into a sentence and an exit status. It owns the wiring and nothing else.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"camqtt/internal/journal"
	"camqtt/internal/wire"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam"
	"camqtt/node/camera/kinds"
)

// Exit statuses. systemd units restart on 1 and not on 2.
const (
	exitOK     = 0
	exitFailed = 1 // a restart may help
	exitUsage  = 2 // wrong usage or configuration: a restart will not help
)

// Process is what a command gets from outside.
type Process struct {
	Args           []string // the program's name first
	Environ        []string
	Stdin          io.Reader // nil: none
	Stdout, Stderr io.Writer
}

// Main runs one command and returns the exit status.
func Main(ctx context.Context, p Process) int {
	e := &env{Process: p, name: invocation(p.Args), detect: kinds.Detect, probe: httpcam.Probe, given: map[wire.ID][]string{}}
	return e.execute(ctx)
}

// execute runs the command that the arguments name.
func (e *env) execute(ctx context.Context) int {
	p, root := e.Process, e.root()
	root.SetArgs(p.Args[1:])
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	e.warnVisible()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	p.Stderr = e.complaints()
	var u *usageError
	if errors.As(err, &u) {
		if !u.said {
			fmt.Fprintf(p.Stderr, "camqtt: %s\n", harmless(err.Error()))
		}
		if u.hint != "" {
			fmt.Fprintf(p.Stderr, "Try: %s\n", u.hint)
		}
		return exitUsage
	}
	if strings.HasPrefix(err.Error(), "unknown command") || strings.HasPrefix(err.Error(), "unknown flag") ||
		strings.HasPrefix(err.Error(), "unknown shorthand") {
		fmt.Fprintf(p.Stderr, "camqtt: %s\nTry: %s --help\n", harmless(err.Error()), e.name)
		return exitUsage
	}
	fmt.Fprintf(p.Stderr, "camqtt: %s\n", harmless(err.Error()))
	var h *hinted
	if errors.As(err, &h) {
		fmt.Fprintf(p.Stderr, "Try: %s\n", h.hint)
	}
	return exitFailed
}

// complaints is where errors are written that end the program.
func (e *env) complaints() io.Writer {
	if journal.Stream(e.Stderr, e.lookup("JOURNAL_STREAM")) {
		return journal.Errors(e.Stderr)
	}
	return e.Stderr
}

// env is what the commands share.
type env struct {
	Process
	name string // how the program was called, to print lines that can be repeated

	detect func(ctx context.Context) ([]camera.Found, error)              // on this machine
	probe  func(ctx context.Context, host string) ([]camera.Found, error) // on another

	logLevel, logFormat string

	moved []movedPath          // of the configuration that was read
	given map[wire.ID][]string // keys of cameras that came as arguments or from the environment
}

// invocation returns what to type to call the program again.
func invocation(args []string) string {
	if len(args) == 0 {
		return "camqtt"
	}
	if strings.Contains(args[0], "go-build") { // go run leaves its binary there
		return "go run ."
	}
	if filepath.Base(args[0]) == args[0] {
		return args[0]
	}
	if wd, err := os.Getwd(); err == nil && filepath.Dir(args[0]) == wd {
		return "./" + filepath.Base(args[0])
	}
	return args[0]
}

// lookup returns a variable of the environment.
func (e *env) lookup(key string) string {
	for _, kv := range e.Environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k == key {
			return v
		}
	}
	return ""
}

// usageError is a mistake in how the program was called: exit 2.
type usageError struct {
	err  error
	hint string // a command that helps
	said bool   // the message is printed already
}

func (u *usageError) Error() string { return u.err.Error() }
func (u *usageError) Unwrap() error { return u.err }

// usage wraps err as a mistake of the caller.
func usage(err error, hint string) error { return &usageError{err: err, hint: hint} }

// hinted is a failure for which there is something to try.
type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

func (e *env) root() *cobra.Command {
	number, commit := version()
	root := &cobra.Command{
		Use:           "camqtt",
		Short:         "Cameras over MQTT",
		Long:          "camqtt takes pictures where the cameras are and shows them where people are, over MQTT.\nCameras connect outward; nothing listens on them.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       number + ", commit " + commit,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	f := root.PersistentFlags()
	f.StringVar(&e.logLevel, "log-level", "", "least urgent messages to print: debug, info, warn or error")
	f.StringVar(&e.logFormat, "log-format", "", "form of messages on standard error: text or json")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(err, e.name+strings.TrimPrefix(c.CommandPath(), "camqtt")+" --help")
	})
	root.AddCommand(
		e.demoCommand(), e.runCommand(), e.nodeCommand(), e.checkCommand(),
		e.lsCommand(), e.snapCommand(), e.watchCommand(),
		e.startCommand(), e.stopCommand(), e.setCommand(),
		e.userCommand(), e.keyCommand(), e.aclCommand(), e.forgetCommand(), e.detectCommand(), e.versionCommand(),
	)
	e.strict(root)
	return root
}

// strict makes wrong arguments wrong usage, of all commands below one.
func (e *env) strict(parent *cobra.Command) {
	for _, c := range parent.Commands() {
		e.strict(c)
		if args := c.Args; args != nil {
			c.Args = func(c *cobra.Command, a []string) error {
				if err := args(c, a); err != nil {
					path := strings.TrimPrefix(c.CommandPath(), "camqtt ")
					return usage(fmt.Errorf("%s: %w", path, err), e.name+" "+path+" --help")
				}
				return nil
			}
		}
	}
}

// log returns the logger that flags and configuration ask for.
func (e *env) log(level, format string) (*slog.Logger, error) {
	if e.logLevel != "" {
		level = e.logLevel
	}
	if e.logFormat != "" {
		format = e.logFormat
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usage(fmt.Errorf("log level %q: want debug, info, warn or error", level), "")
	}
	o := &slog.HandlerOptions{Level: l}
	form := func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, o) }
	switch format {
	case "text":
	case "json":
		form = func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, o) }
	default:
		return nil, usage(fmt.Errorf("log format %q: want text or json", format), "")
	}
	if journal.Stream(e.Stderr, e.lookup("JOURNAL_STREAM")) {
		o.ReplaceAttr = journal.WithoutTime
		return slog.New(journal.New(e.Stderr, form)), nil
	}
	return slog.New(form(e.Stderr)), nil
}
