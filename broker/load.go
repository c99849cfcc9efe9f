package broker

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// load is a payload that several connections and the retained store share. It goes
// back to its pool when the last holder drops it; one without a pool is left to the
// garbage collector.
type load struct {
	b    []byte
	refs atomic.Int32
	from *loads
}

func (l *load) hold() {
	if l != nil {
		l.refs.Add(1)
	}
}

func (l *load) drop() {
	if l != nil && l.refs.Add(-1) == 0 && l.from != nil {
		l.from.put(l)
	}
}

// plain makes a load of bytes that nobody will write to again.
func plain(b []byte) *load {
	l := &load{b: b}
	l.refs.Store(1)
	return l
}

const (
	smallestLoad = 10 // 1 KiB, as a power of two
	largestLoad  = 21 // 2 MiB
)

// loads are pools of buffers by power of two.
type loads struct {
	pools [largestLoad - smallestLoad + 1]sync.Pool
	out   atomic.Int64 // loads handed out and not yet back
}

// get gives a load of n bytes, held once. What it contains is undefined.
func (p *loads) get(n int) *load {
	class := max(bits.Len(uint(max(n, 1)-1)), smallestLoad)
	if class > largestLoad {
		return plain(make([]byte, n))
	}
	l, _ := p.pools[class-smallestLoad].Get().(*load)
	if l == nil {
		l = &load{b: make([]byte, 1<<class), from: p}
	}
	l.b = l.b[:n]
	l.refs.Store(1)
	p.out.Add(1)
	return l
}

func (p *loads) put(l *load) {
	p.out.Add(-1)
	p.pools[bits.Len(uint(cap(l.b)-1))-smallestLoad].Put(l)
}
