// Package run starts services in order and stops them one at a time in reverse,
// and tells systemd about it. It owns the order and the waiting, nothing else:
// it never restarts a service and never swallows its error.
package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Service does its work in Serve, on the caller's goroutine and on those it
// starts, and returns once every one of them has ended. Serve returns nil only
// after ctx is done.
type Service interface {
	Serve(ctx context.Context) error
}

// Func is a function that is a [Service].
type Func func(ctx context.Context) error

// Serve calls f.
func (f Func) Serve(ctx context.Context) error { return f(ctx) }

// Named is a service with the name that its errors carry.
type Named struct {
	Name    string
	Service Service
}

// errEnded is the error of a service that returned nil though nobody asked it
// to end: the program is not whole without it.
var errEnded = errors.New("ended by itself")

// All serves until ctx is done or one of the services ends. Then it stops them
// from last to first, waiting for each before it stops the next, so list what
// others lean on first: clients of a broker that closes before they do would
// only connect again. It returns the errors of those that failed.
func All(ctx context.Context, services ...Named) error {
	type running struct {
		stop context.CancelFunc
		done chan error
	}
	all := make([]running, 0, len(services))
	first := make(chan struct{}, len(services))
	for _, s := range services {
		own, stop := context.WithCancel(context.WithoutCancel(ctx))
		r := running{stop, make(chan error, 1)}
		all = append(all, r)
		go func() { // ends when Serve does; the loop below waits
			err := s.Service.Serve(own)
			if err == nil && own.Err() == nil {
				err = errEnded
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", s.Name, err)
			}
			r.done <- err
			first <- struct{}{}
		}()
	}
	select {
	case <-ctx.Done():
	case <-first:
	}
	var errs []error
	for _, r := range slices.Backward(all) {
		r.stop()
		errs = append(errs, <-r.done)
	}
	return errors.Join(errs...)
}

// Together returns a service that serves many at once and stops them at once:
// things of one kind that do not lean on each other, such as cameras. It ends
// with the first that fails.
func Together(services ...Named) Service {
	return Func(func(ctx context.Context) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		done := make(chan error, len(services))
		for _, s := range services {
			go func() { // ends when the service does; the loop below waits
				err := s.Service.Serve(ctx)
				if err == nil && ctx.Err() == nil {
					err = errEnded
				}
				if err != nil {
					err = fmt.Errorf("%s: %w", s.Name, err)
				}
				stop() // one ends all: the program is not whole without it
				done <- err
			}()
		}
		var errs []error
		for range services {
			errs = append(errs, <-done)
		}
		return errors.Join(errs...)
	})
}
