package mqttclient

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// RefusedError is the error of topic filters that the broker did not accept.
type RefusedError struct{ Filters []string }

// Error names the filters.
func (r *RefusedError) Error() string {
	return fmt.Sprintf("subscribe to %s: refused by the broker: this account may not read it", strings.Join(r.Filters, ", "))
}

const (
	// maxPerPacket is how many filters one SUBSCRIBE has: AWS IoT Core ends the
	// connection over nine.
	maxPerPacket = 8
	// maxStrikes is how many connections may end before a filter is acknowledged
	// that is not needed. Some brokers refuse a filter by ending the connection.
	maxStrikes = 2
	// restTime is how long such a filter is left out. It may have been the line.
	restTime = 10 * time.Minute
)

// filter is one topic filter that a link wants.
type filter struct {
	Subscription
	fixed   bool      // of the link's options
	strikes int       // connections in a row that ended before the broker answered
	rests   time.Time // not asked before
}

// needed reports whether a connection is of no use without the filter.
func (f *filter) needed() bool { return f.fixed && !f.Optional }

// filters are what a link subscribes to on every connection.
type filters struct {
	mu  sync.Mutex
	all []*filter // in the order in which they were added
}

func newFilters(fixed []Subscription) *filters {
	f := new(filters)
	f.add(fixed...)
	for _, one := range f.all {
		one.fixed = true
	}
	return f
}

// add adds filters, and replaces those that are there.
func (f *filters) add(subs ...Subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range subs {
		if one := f.find(s.Filter); one != nil {
			one.QoS = s.QoS
			continue
		}
		f.all = append(f.all, &filter{Subscription: s})
	}
}

// find returns a filter or nil. f.mu is held.
func (f *filters) find(name string) *filter {
	for _, one := range f.all {
		if one.Filter == name {
			return one
		}
	}
	return nil
}

func (f *filters) remove(names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = slices.DeleteFunc(f.all, func(one *filter) bool { return slices.Contains(names, one.Filter) })
}

// packets returns what each SUBSCRIBE of a new connection asks for, those first that
// are needed. When a connection has ended over one of the others, each is asked alone,
// so that the one that the broker does not bear is found.
func (f *filters) packets() [][]Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	var needed, others []Subscription
	size := maxPerPacket
	for _, one := range f.all {
		switch {
		case one.needed():
			needed = append(needed, one.Subscription)
		case time.Now().After(one.rests):
			others = append(others, one.Subscription)
		}
		if one.strikes > 0 {
			size = 1
		}
	}
	return slices.Concat(slices.Collect(slices.Chunk(needed, maxPerPacket)), slices.Collect(slices.Chunk(others, size)))
}

// answered takes the broker's answer to one SUBSCRIBE. The error has the filters that
// are needed and were refused; dropped are others, which are not asked again when they
// have been added after the start.
func (f *filters) answered(asked []Subscription, refused map[string]bool) (dropped []string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var needed []string
	for _, s := range asked {
		one := f.find(s.Filter)
		if one == nil { // removed meanwhile
			continue
		}
		one.strikes = 0
		switch {
		case !refused[s.Filter]:
		case one.needed():
			needed = append(needed, s.Filter)
		default:
			dropped = append(dropped, s.Filter)
		}
	}
	f.all = slices.DeleteFunc(f.all, func(one *filter) bool { return !one.fixed && slices.Contains(dropped, one.Filter) })
	if needed != nil {
		err = &RefusedError{needed}
	}
	return dropped, err
}

// unanswered takes that a connection has ended before the broker answered one SUBSCRIBE,
// and returns the filters that are left out for a while.
func (f *filters) unanswered(asked []Subscription) (dropped []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range asked {
		one := f.find(s.Filter)
		if one == nil || one.needed() {
			continue
		}
		if one.strikes++; one.strikes >= maxStrikes {
			one.rests = time.Now().Add(restTime)
			dropped = append(dropped, s.Filter)
		}
	}
	return dropped
}
