package node

import (
	"fmt"
	"testing"
)

func TestFlood(t *testing.T) {
	var f flood
	for i := range 3 * maxFloodIDs {
		f.add("stop", "a")
		f.add("stop", "")
		f.add("snap", fmt.Sprint(i%(maxFloodIDs-2)))
	}
	if got, want := f.unanswered.Load(), uint64(9*maxFloodIDs-maxFloodIDs); got != want {
		t.Errorf("%d commands are counted as not answered, want %d", got, want)
	}
	seen := map[string]int{}
	for !f.empty() {
		for _, r := range f.take(1000) {
			seen[r.ID]++
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("id %q gets %d answers, want 1", id, n)
		}
	}
	if len(seen) != maxFloodIDs {
		t.Errorf("%d ids get an answer, want %d", len(seen), maxFloodIDs)
	}
}
