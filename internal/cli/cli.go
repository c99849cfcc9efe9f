// Package cli is the command line: it reads arguments and configuration, builds
// what they ask for out of the other packages, runs it, and turns what went
// wrong into a sentence and an exit status. It owns the wiring and nothing else.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"camqtt/internal/app"
	"camqtt/internal/usage"
	"camqtt/internal/wire"
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
	warnVisible(e)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	out := e.complaints()
	failure, known := errors.AsType[*usage.Failure](err)
	if !known {
		failure = new(usage.Failure)
	}
	for _, wrong := range []string{"unknown command", "unknown flag", "unknown shorthand"} { // cobra's, without a type
		if !known && strings.HasPrefix(err.Error(), wrong) {
			failure.Wrong, failure.Hint = true, e.name+" --help"
		}
	}
	if !failure.Printed {
		fmt.Fprintf(out, "camqtt: %s\n", harmless(err.Error()))
	}
	if failure.Hint != "" {
		fmt.Fprintf(out, "Try: %s\n", failure.Hint)
	}
	if failure.Wrong {
		return exitUsage
	}
	return exitFailed
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

// commands are all commands, in the order of their use.
func commands() []func(*env) *cobra.Command {
	return []func(*env) *cobra.Command{
		demoCommand, runCommand, nodeCommand, checkCommand, lsCommand, snapCommand, watchCommand, startCommand,
		stopCommand, setCommand, userCommand, keyCommand, aclCommand, forgetCommand, detectCommand, versionCommand,
	}
}

func (e *env) root() *cobra.Command {
	number, commit := app.Version()
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
		return usage.Error(err, e.name+strings.TrimPrefix(c.CommandPath(), "camqtt")+" --help")
	})
	for _, command := range commands() {
		root.AddCommand(command(e))
	}
	strict(e, root)
	return root
}

// strict makes wrong arguments wrong usage, of all commands below one.
func strict(e *env, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		strict(e, c)
		if args := c.Args; args != nil {
			c.Args = func(c *cobra.Command, a []string) error {
				if err := args(c, a); err != nil {
					path := strings.TrimPrefix(c.CommandPath(), "camqtt ")
					return usage.Error(fmt.Errorf("%s: %w", path, err), e.name+" "+path+" --help")
				}
				return nil
			}
		}
	}
}
