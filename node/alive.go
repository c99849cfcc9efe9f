package node

import (
	"context"
	"fmt"
)

// Alive returns nil when the node's loop has answered, which it does between any two
// things it has to do, and an error when ctx is done before or the node has ended.
func (n *Node) Alive(ctx context.Context) error {
	answer := make(chan struct{})
	select {
	case n.inbox <- note{alive: answer}:
	case <-n.ended:
		return fmt.Errorf("camera %s: the node has ended", n.opts.ID)
	case <-ctx.Done():
		return fmt.Errorf("camera %s: ask the node whether it is alive: %w", n.opts.ID, ctx.Err())
	}
	select {
	case <-answer:
		return nil
	case <-n.ended:
		return fmt.Errorf("camera %s: the node has ended", n.opts.ID)
	case <-ctx.Done():
		return fmt.Errorf("camera %s: wait for the node to say that it is alive: %w", n.opts.ID, ctx.Err())
	}
}
