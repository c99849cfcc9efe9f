// Command camqtt is cameras over MQTT: nodes that obey snap, start and stop, a
// broker, and a page to watch them on, in one program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"camqtt/internal/cli"
)

func main() { os.Exit(status()) }

func status() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return cli.Main(ctx, cli.Process{
		Args: os.Args, Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	})
}
