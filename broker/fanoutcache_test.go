package broker

import (
	"fmt"
	"sync"
	"testing"
)

// A change of a filter makes the fanouts of its topics be found anew, and no other.
func TestFanCacheForgetsByTopic(t *testing.T) {
	topics := []string{"cam/a/frame", "cam/a/status", "cam/b/frame", "cam/b/status", "other", "$SYS/x"}
	for filter, want := range map[string]int{
		"cam/a/frame": 1, "cam/+/frame": 2, "cam/#": 4, "#": 5, "$share/g/cam/+/status": 2, "$SHARE/g/other": 1,
		"cam/a": 0, "": 0, "$SYS/#": 1, "+/+/+": 4,
	} {
		found := 0
		c := newFanoutCache(func(string) *fanout { found++; return new(fanout) })
		for range 2 {
			for _, topic := range topics {
				c.get(topic)
			}
		}
		if found != len(topics) {
			t.Fatalf("found %d times before anything changed", found)
		}
		c.forget([]string{filter})
		c.forget(nil)
		for _, topic := range topics {
			c.get(topic)
		}
		if found -= len(topics); found != want {
			t.Errorf("%q: %d found anew, wanted %d", filter, found, want)
		}
	}
}

// What was found while something changed is not remembered: it may be of before.
func TestFanCacheChangesMeanwhile(t *testing.T) {
	var c *fanoutCache
	found := 0
	c = newFanoutCache(func(topic string) *fanout {
		if found++; found == 1 {
			c.forget([]string{topic})
		}
		return new(fanout)
	})
	for range 3 {
		c.get("a")
	}
	if found != 2 {
		t.Errorf("found %d times, wanted 2", found)
	}
	c.forgetAll()
	if c.get("a"); found != 3 {
		t.Errorf("found %d times after everything was forgotten, wanted 3", found)
	}
}

// Filters with wildcards beside very many topics make all of them be found anew.
func TestFanCacheLooksAtFew(t *testing.T) {
	c := newFanoutCache(func(string) *fanout { return new(fanout) })
	for i := range maxMatches {
		c.get(fmt.Sprint("cam/", i, "/frame"))
	}
	if c.forget([]string{"cam/+/status"}); len(c.m) != maxMatches {
		t.Errorf("%d fanouts are left, wanted all", len(c.m))
	}
	if c.forget([]string{"cam/+/status", "cam/+/state"}); len(c.m) != 0 {
		t.Errorf("%d fanouts are left, wanted none", len(c.m))
	}
}

// It does not grow with the topics that there ever were.
func TestFanCacheIsBounded(t *testing.T) {
	c := newFanoutCache(func(string) *fanout { return new(fanout) })
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() { // ends by itself
			for i := range maxFanouts {
				c.get(fmt.Sprint(w, "/", i))
			}
		})
	}
	all.Wait()
	if n := len(c.m); n > maxFanouts {
		t.Errorf("%d fanouts are remembered, wanted at most %d", n, maxFanouts)
	}
}
