package testkit

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Output is a text that programs or goroutines write while a test reads it.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends to the text.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String returns the text so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// HasLine reports whether one line has all parts.
func (o *Output) HasLine(parts ...string) bool {
	for line := range strings.Lines(o.String()) {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			return true
		}
	}
	return false
}

// Serve runs a service until the test ends, which fails when the service has.
func Serve(t testing.TB, s interface{ Serve(context.Context) error }) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }() // ends with the test
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
