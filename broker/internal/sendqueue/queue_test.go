package sendqueue

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"camqtt/broker/internal/sharedbuffer"
)

// noEvents ignores what a Sender reports.
type noEvents struct{}

func (noEvents) Sent(bool, int) {}
func (noEvents) Replaced()      {}
func (noEvents) Dropped()       {}
func (noEvents) Failed(error)   {}
func (noEvents) HangUp()        {}

func newQueue() *queue {
	return &queue{limits: Limits{Bytes: 1 << 20, Pictures: 1024}, events: noEvents{}}
}

// A queue costs what waits in it, however much has passed and however much ever waited.
func TestQueueGivesUpRoom(t *testing.T) {
	c := newQueue()
	put := func() {
		if !c.put(Packet{Head: []byte{1, 2}, Payload: sharedbuffer.Of([]byte("payload"))}, Droppable) {
			t.Fatal("not taken")
		}
	}
	for range 20_000 {
		put()
	}
	for range 20_000 - 1 {
		c.next()
	}
	for range 1_000_000 {
		put()
		c.next()
	}
	if waiting, room := len(c.packets)-c.first, cap(c.packets); waiting != 1 || room > 200 {
		t.Errorf("%d items wait in room for %d, wanted 1 in at most 200", waiting, room)
	}
}

// Pictures replace those of their own topic and no others, wherever the queue has moved.
func TestQueueKeepsPicturesApart(t *testing.T) {
	c, r := newQueue(), rand.New(rand.NewPCG(1, 2))
	latest, number := map[string]string{}, 0
	for range 50_000 {
		switch n := r.IntN(10); {
		case n < 5:
			topic := fmt.Sprint("cam/", r.IntN(40), "/frame")
			number++
			latest[topic] = fmt.Sprint(topic, " ", number)
			c.put(Packet{Topic: topic, AtEnd: r.IntN(3) == 0, Head: []byte{1}, Payload: sharedbuffer.Of([]byte(latest[topic]))}, Newest)
		case n < 6:
			c.put(Packet{Head: []byte{2}, Payload: sharedbuffer.Of(nil)}, Droppable)
		default:
			it, ok := c.next()
			if !ok || it.Topic == "" {
				continue
			}
			if r.IntN(10) == 0 {
				c.putBack(it, false)
				continue
			}
			if want := latest[it.Topic]; string(it.Payload.Bytes) != want {
				t.Fatalf("got %q, wanted %q", it.Payload.Bytes, want)
			}
		}
	}
}
