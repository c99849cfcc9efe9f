package broker

import (
	"strings"
	"sync"

	"camqtt/internal/mqtt"
)

// maxFanouts bounds the remembered fanouts; beyond it one gives way to another.
const maxFanouts = 4096

// maxMatches is how many topics are looked at for filters with wildcards. Finding the few
// fanouts anew that are asked for before the next change costs less than more of that.
const maxMatches = 1024

// fanoutCache remembers the receivers of topics. Whatever changes that has to say for which
// filters: the fanouts of other topics stay, so that clients that come and go cost only what
// they have to do with.
type fanoutCache struct {
	find func(topic string) *fanout

	mu    sync.RWMutex
	m     map[string]*fanout
	round int64 // of forgetting: what was begun to be found in an earlier one is not remembered
}

func newFanoutCache(find func(topic string) *fanout) *fanoutCache {
	return &fanoutCache{find: find, m: make(map[string]*fanout)}
}

// get gives the receivers of a topic.
func (c *fanoutCache) get(topic string) *fanout {
	c.mu.RLock()
	f, round := c.m[topic], c.round
	c.mu.RUnlock()
	if f != nil {
		return f
	}
	f = c.find(topic)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.round != round {
		return f
	}
	if len(c.m) >= maxFanouts {
		for other := range c.m {
			delete(c.m, other)
			break
		}
	}
	c.m[strings.Clone(topic)] = f
	return f
}

// forget makes the fanouts of topics under filters be found anew. It is called after what
// changes them.
func (c *fanoutCache) forget(filters []string) {
	if len(filters) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.round++
	var wild []string
	for _, f := range filters {
		if _, plain, shared := mqtt.SplitShared(f); shared {
			f = plain
		}
		if mqtt.HasWildcard(f) {
			wild = append(wild, f)
			continue
		}
		delete(c.m, f)
	}
	switch work := len(wild) * len(c.m); {
	case work == 0:
		return
	case work > maxMatches:
		clear(c.m)
		return
	}
	for topic := range c.m {
		for _, f := range wild {
			if mqtt.Matches(f, topic) {
				delete(c.m, topic)
				break
			}
		}
	}
}

// forgetAll makes the receivers of every topic be found anew.
func (c *fanoutCache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.round++
	clear(c.m)
}
