package broker

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// unwritten is a connection whose line nobody writes out.
func unwritten(t testing.TB) *conn {
	t.Helper()
	b, err := New(Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	return &conn{b: b}
}

// A line costs what waits in it, however much has passed and however much ever waited.
func TestLineGivesUpRoom(t *testing.T) {
	c := unwritten(t)
	put := func() {
		if !c.enqueue(item{head: []byte{1, 2}, load: plain([]byte("payload"))}, droppable) {
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
	if waiting, room := len(c.out.queue)-c.out.first, cap(c.out.queue); waiting != 1 || room > 200 {
		t.Errorf("%d items wait in room for %d, wanted 1 in at most 200", waiting, room)
	}
}

// Pictures replace their own kind and nobody else's, wherever the line has moved.
func TestLineKeepsPicturesApart(t *testing.T) {
	c, r := unwritten(t), rand.New(rand.NewPCG(1, 2))
	latest, number := map[string]string{}, 0
	for range 50_000 {
		switch n := r.IntN(10); {
		case n < 5:
			topic := fmt.Sprint("cam/", r.IntN(40), "/frame")
			number++
			latest[topic] = fmt.Sprint(topic, " ", number)
			kinds := []kind{frame, preview, snapshot}
			c.enqueue(item{topic: topic, kind: kinds[r.IntN(3)], head: []byte{1}, load: plain([]byte(latest[topic]))}, newest)
		case n < 6:
			c.enqueue(item{head: []byte{2}, load: plain(nil)}, droppable)
		default:
			it, ok := c.next()
			if !ok || it.topic == "" {
				continue
			}
			if r.IntN(10) == 0 {
				c.unnext(it)
				continue
			}
			if want := latest[it.topic]; string(it.load.b) != want {
				t.Fatalf("got %q, wanted %q", it.load.b, want)
			}
		}
	}
}
