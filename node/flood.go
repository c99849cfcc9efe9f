package node

import (
	"sync"
	"sync/atomic"

	"camqtt/internal/wire"
)

// maxFloodIDs is how many askers are told that their commands came too fast.
const maxFloodIDs = 4096

// flood keeps the commands that came faster than they could be answered. Each id gets one
// answer, and so do all without one together; the rest is counted. It is used by several
// goroutines.
type flood struct {
	unanswered atomic.Uint64

	mu      sync.Mutex
	waiting []wire.Result
	known   map[string]bool // ids among waiting
}

// add notes a command that is not carried out.
func (f *flood) add(cmd, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known[id] || len(f.waiting) >= maxFloodIDs {
		f.unanswered.Add(1)
		return
	}
	if f.known == nil {
		f.known = map[string]bool{}
	}
	f.known[id] = true
	f.waiting = append(f.waiting, wire.Result{
		Cmd: cmd, ID: id, Code: wire.Busy,
		Text: "commands came faster than they can be answered; there is one answer for all with this id: send fewer",
	})
}

// empty reports whether no answer waits.
func (f *flood) empty() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.waiting) == 0
}

// take returns at most n answers.
func (f *flood) take(n int) []wire.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = min(n, len(f.waiting))
	out := f.waiting[:n:n]
	for _, r := range out {
		delete(f.known, r.ID)
	}
	f.waiting = f.waiting[n:]
	return out
}
