package subprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"camqtt/internal/redact"
	"camqtt/node/camera"
)

const (
	// askTimeout is how long a program may take to answer a question.
	askTimeout = 10 * time.Second
	// askMax is how much of an answer is read, in bytes.
	askMax = 64 << 10
)

// Output runs a program that answers on its standard output and ends, and returns
// the answer. Errors are *Error, or the context's.
func Output(ctx context.Context, argv ...string) (string, error) {
	g := Program{Argv: argv}
	p, err := start(argv)
	if err != nil {
		return "", g.startError(err)
	}
	limit, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { // ends when the program has ended: its standard error does, or has a deadline then
		_, _ = io.Copy(&p.said, p.stderr) // however it ends, it is the end
	})
	wg.Go(func() { // ends when the program has ended, which it does by limit
		select {
		case <-limit.Done():
			p.stop()
		case <-p.exited:
		}
	})
	answer, _ := io.ReadAll(io.LimitReader(p.stdout, askMax)) // what there is counts
	_, _ = io.Copy(io.Discard, p.stdout)                      // so that it can end
	wg.Wait()
	p.stdout.Close()
	p.stderr.Close()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case limit.Err() != nil && errors.Is(limit.Err(), context.DeadlineExceeded):
		return "", &camera.Error{Code: camera.NoCamera, Text: fmt.Sprintf("program %q did not answer within %s", redact.Line(filepath.Base(argv[0])), askTimeout)}
	case p.err != nil:
		return "", g.endError(p, 0, "")
	}
	return string(answer), nil
}
