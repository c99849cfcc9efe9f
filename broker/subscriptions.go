package broker

import (
	"strings"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/mqtt"
)

// subscriptions are the filters of all sessions, by client identifier, in the library's
// tree of filters.
type subscriptions struct {
	tree *mochi.TopicsIndex

	mu       sync.RWMutex
	byClient map[string]map[string]struct{} // client identifier -> filters
	total    int
}

func newSubscriptions() *subscriptions {
	return &subscriptions{tree: mochi.NewTopicsIndex(), byClient: make(map[string]map[string]struct{})}
}

// parentMark ends a client identifier in the tree under the filter "x/+" that stands for
// "x/+/#", where "#" matches the parent level. The tree does not know this rule after a
// "+". No client identifier contains U+0000.
const parentMark = "\x00"

// parentOf gives the filter under which a filter is in the tree a second time.
func parentOf(filter string) (parent string, ok bool) {
	parent, ok = strings.CutSuffix(filter, "/#")
	return parent, ok && (parent == "+" || strings.HasSuffix(parent, "/+"))
}

// add takes a subscription, which replaces the one of the same filter.
func (s *subscriptions) add(id string, sub packets.Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tree.Subscribe(id, sub)
	if parent, ok := parentOf(sub.Filter); ok {
		under := sub
		under.Filter = parent
		s.tree.Subscribe(id+parentMark, under)
	}
	filters := s.byClient[id]
	if filters == nil {
		filters = make(map[string]struct{})
		s.byClient[id] = filters
	}
	if _, known := filters[sub.Filter]; !known {
		filters[sub.Filter] = struct{}{}
		s.total++
	}
}

// remove ends a subscription and reports whether there was one. [MQTT-3.11.3-1]
func (s *subscriptions) remove(id, filter string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.byClient[id][filter]; !known {
		return false
	}
	s.drop(id, filter)
	delete(s.byClient[id], filter)
	if len(s.byClient[id]) == 0 {
		delete(s.byClient, id)
	}
	return true
}

// removeAll ends the subscriptions of a client and gives their filters.
func (s *subscriptions) removeAll(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	filters := make([]string, 0, len(s.byClient[id]))
	for f := range s.byClient[id] {
		s.drop(id, f)
		filters = append(filters, f)
	}
	delete(s.byClient, id)
	return filters
}

// drop takes a filter out of the tree. The caller holds mu.
func (s *subscriptions) drop(id, filter string) {
	s.tree.Unsubscribe(filter, id)
	if parent, ok := parentOf(filter); ok {
		s.tree.Unsubscribe(parent, id+parentMark)
	}
	s.total--
}

// has reports whether a client has a filter.
func (s *subscriptions) has(id, filter string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, known := s.byClient[id][filter]
	return known
}

// filters gives the filters of a client.
func (s *subscriptions) filters(id string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	filters := make([]string, 0, len(s.byClient[id]))
	for f := range s.byClient[id] {
		filters = append(filters, f)
	}
	return filters
}

// count gives how many filters a client has.
func (s *subscriptions) count(id string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byClient[id])
}

// size gives how many subscriptions there are.
func (s *subscriptions) size() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.total
}

// matching gives the subscriptions that match a topic: one for each client with the
// options of all its filters merged, and those of each group, by the filter of the group
// and by client.
func (s *subscriptions) matching(topic string) (each map[string]packets.Subscription, shared map[string]map[string]packets.Subscription) {
	found := s.tree.Subscribers(topic)
	each = found.Subscriptions
	for marked, sub := range each {
		id, under := strings.CutSuffix(marked, parentMark)
		if !under {
			continue
		}
		delete(each, marked)
		if other, both := each[id]; both {
			sub = merge(other, sub)
		}
		each[id] = sub
	}
	for filter, members := range found.Shared {
		if !reachesGroup(filter, topic) {
			delete(found.Shared, filter)
			continue
		}
		for marked, sub := range members {
			if id, under := strings.CutSuffix(marked, parentMark); under {
				delete(members, marked)
				group := filter + "/#"
				if found.Shared[group] == nil {
					found.Shared[group] = make(map[string]packets.Subscription)
				}
				found.Shared[group][id] = sub
			}
		}
	}
	return each, found.Shared
}

// merge gives the options of two overlapping subscriptions of one client. Every
// identifier is kept. [MQTT-3.3.4-3]
func merge(a, b packets.Subscription) packets.Subscription {
	ids := make(map[string]int, len(a.Identifiers)+len(b.Identifiers))
	for f, id := range a.Identifiers {
		ids[f] = id
	}
	for f, id := range b.Identifiers {
		ids[f+"/#"] = id
	}
	a.Identifiers = ids
	a.Qos, a.NoLocal = max(a.Qos, b.Qos), a.NoLocal || b.NoLocal
	return a
}

// reachesGroup reports whether a share group gets the messages of a topic: the tree gives
// those under $SYS also to a group whose filter begins with a wildcard. [MQTT-4.7.2-1]
func reachesGroup(shared, topic string) bool {
	_, filter, ok := mqtt.SplitShared(shared)
	return !ok || topic[0] != '$' || strings.HasPrefix(filter, "$")
}
