package run_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"camqtt/internal/run"
)

// recorder notes in which order services end.
type recorder struct {
	mu    sync.Mutex
	ended []string
}

func (r *recorder) service(name string) run.Named {
	return run.Named{Name: name, Service: run.Func(func(ctx context.Context) error {
		<-ctx.Done()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = append(r.ended, name)
		return nil
	})}
}

func TestStopsInReverse(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var r recorder
	done := make(chan error, 1)
	go func() { done <- run.All(ctx, r.service("broker"), r.service("link"), r.service("node")) }()
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if want := []string{"node", "link", "broker"}; !slices.Equal(r.ended, want) {
		t.Errorf("ended %v, want %v", r.ended, want)
	}
}

func TestOneFailureStopsAll(t *testing.T) {
	var r recorder
	broken := errors.New("port gone")
	err := run.All(t.Context(), r.service("broker"),
		run.Named{Name: "dashboard", Service: run.Func(func(context.Context) error { return broken })},
		r.service("node"))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "dashboard: port gone") {
		t.Errorf("got %v, want the dashboard's error with its name", err)
	}
	if want := []string{"node", "broker"}; !slices.Equal(r.ended, want) {
		t.Errorf("ended %v, want %v", r.ended, want)
	}
}

func TestEndingByItselfIsAFailure(t *testing.T) {
	err := run.All(t.Context(), run.Named{Name: "link", Service: run.Func(func(context.Context) error { return nil })})
	if err == nil || !strings.Contains(err.Error(), "link: ended by itself") {
		t.Errorf("got %v, want that the link ended by itself", err)
	}
}

func TestTogether(t *testing.T) {
	var r recorder
	broken := errors.New("lens cap")
	err := run.Together(r.service("porch"), r.service("garden"),
		run.Named{Name: "attic", Service: run.Func(func(context.Context) error { return broken })}).Serve(t.Context())
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "attic: lens cap") || len(r.ended) != 2 {
		t.Errorf("got %v after %v ended, want attic's error and both others ended", err, r.ended)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := run.Together(r.service("porch"), r.service("garden")).Serve(ctx); err != nil {
		t.Errorf("asked to stop: %v", err)
	}
}
