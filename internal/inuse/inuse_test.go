package inuse_test

import (
	"context"
	"errors"
	"testing"

	"camqtt/internal/inuse"
	"camqtt/internal/wire"
)

// TestList: the list counts while its hub runs, and is empty afterwards.
func TestList(t *testing.T) {
	dir := t.TempDir()
	if l, err := inuse.Read(dir); err != nil || !l.Equal(inuse.List{}) {
		t.Errorf("a folder without a hub: %v, %v", l, err)
	}
	p, err := inuse.Hold(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []inuse.List{
		{Served: []wire.ID{"front"}, Online: []wire.ID{"porch", "shed"}},
		{Online: []wire.ID{"shed"}},
	} {
		if err := p.Publish(want); err != nil {
			t.Fatal(err)
		}
		if got, err := inuse.Read(dir); err != nil || !got.Equal(want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := inuse.Hold(done, dir); err == nil {
		t.Error("two hubs hold one folder")
	}
	p.Release()
	if l, err := inuse.Read(dir); err != nil || !l.Equal(inuse.List{}) {
		t.Errorf("a hub that has ended: %v, %v", l, err)
	}
}

// TestCheck refuses what is in the list, whatever stands beside it.
func TestCheck(t *testing.T) {
	l := inuse.List{Served: []wire.ID{"front"}, Online: []wire.ID{"porch"}}
	for id, used := range map[wire.ID]bool{"front": true, "porch": true, "shed": false} {
		if err := l.Check("other", id); errors.Is(err, inuse.ErrInUse) != used {
			t.Errorf("%s: %v", id, err)
		}
	}
}
