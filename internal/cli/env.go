package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"

	"camqtt/internal/access"
	"camqtt/internal/app"
	"camqtt/internal/config"
	"camqtt/internal/journal"
	"camqtt/internal/securefile"
	"camqtt/internal/usage"
	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// env is what all commands share: the surroundings of the process and the flags that every
// command has.
type env struct {
	Process
	name string // how the program was called, to print lines that can be repeated

	detect func(ctx context.Context) ([]camera.Found, error)              // on this machine
	probe  func(ctx context.Context, host string) ([]camera.Found, error) // on another

	logLevel, logFormat string

	moved []movedPath          // of the configuration that was read
	given map[wire.ID][]string // keys of cameras that came as arguments or from the environment
}

// lookup returns a variable of the environment.
func (e *env) lookup(key string) string { return app.Environment(e.Environ).Get(key) }

// complaints is where errors are written that end the program.
func (e *env) complaints() io.Writer {
	if journal.Stream(e.Stderr, e.lookup("JOURNAL_STREAM")) {
		return journal.Errors(e.Stderr)
	}
	return e.Stderr
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
		return nil, usage.Error(fmt.Errorf("log level %q: want debug, info, warn or error", level), "")
	}
	o := &slog.HandlerOptions{Level: l}
	form := func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, o) }
	switch format {
	case "text":
	case "json":
		form = func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, o) }
	default:
		return nil, usage.Error(fmt.Errorf("log format %q: want text or json", format), "")
	}
	if journal.Stream(e.Stderr, e.lookup("JOURNAL_STREAM")) {
		o.ReplaceAttr = journal.WithoutTime
		return slog.New(journal.New(e.Stderr, form)), nil
	}
	return slog.New(form(e.Stderr)), nil
}

// writeJSON prints something for programs, and for people who look at it in a terminal.
func (e *env) writeJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return write(e.Stdout, []byte(escaped(string(text))+"\n"))
}

// save writes a file that the user has named, - for standard output.
func (e *env) save(ctx context.Context, path string, b []byte) error {
	if path == "-" {
		return write(e.Stdout, b)
	}
	return securefile.Write(ctx, path, b)
}

func write(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

// typed reads one line of standard input. A terminal shows a prompt and does not echo it.
func (e *env) typed() (string, error) {
	if e.Stdin == nil {
		return "", errors.New("there is no standard input")
	}
	if f, ok := e.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(e.Stderr, "Password: ")
		defer fmt.Fprintln(e.Stderr)
		line, err := term.ReadPassword(int(f.Fd()))
		return string(line), err
	}
	line, err := bufio.NewReader(io.LimitReader(e.Stdin, access.MaxPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// appOptions are those of a process with this configuration.
func (e *env) appOptions(cfg *config.Config, log *slog.Logger) app.Options {
	return app.Options{
		Config: cfg, Log: log, Environ: e.Environ, Command: e.name, Stderr: e.Stderr, Given: e.given,
		MQTTHint: "another port for broker.listen", HTTPHint: "another port for dashboard.listen",
	}
}
