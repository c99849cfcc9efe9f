package node_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/node"
)

// TestAlive asks a node before, during and after its life.
func TestAlive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		never, err := node.New(node.Options{ID: "porch", Source: &testkit.Camera{}, Link: &broker{}, Log: testkit.Log(t)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := never.Alive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a node whose loop does not run says %v, want the deadline", err)
		}
		b := start(t, nil)
		for range 3 {
			if err := b.node.Alive(t.Context()); err != nil {
				t.Error(err)
			}
		}
		b.cut() // a broker out of reach is no reason to be restarted
		if err := b.node.Alive(t.Context()); err != nil {
			t.Error(err)
		}
		b.end()
		if err := b.node.Alive(t.Context()); err == nil {
			t.Error("a node that has ended is alive")
		}
	})
}
