// Package sharedbuffer counts the references to payloads that several connections and the
// retained store share, and reuses their memory.
package sharedbuffer

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Buffer is a payload. It goes back to its pool when the last holder releases it; one
// without a pool is left to the garbage collector. A nil Buffer may be held and released.
type Buffer struct {
	Bytes []byte
	refs  atomic.Int32
	from  *Pool
}

// Hold adds a holder.
func (b *Buffer) Hold() {
	if b != nil {
		b.refs.Add(1)
	}
}

// Release ends what one Hold, or the making of the buffer, began.
func (b *Buffer) Release() {
	if b != nil && b.refs.Add(-1) == 0 && b.from != nil {
		b.from.put(b)
	}
}

// Of makes a buffer, held once, of bytes that are not written to again.
func Of(p []byte) *Buffer {
	b := &Buffer{Bytes: p}
	b.refs.Store(1)
	return b
}

// Sizes of pooled buffers, as powers of two: 1 KiB to 2 MiB.
const smallest, largest = 10, 21

// Pool keeps unused buffers by power of two. The zero value is ready.
type Pool struct {
	bySize [largest - smallest + 1]sync.Pool
	out    atomic.Int64
}

// Get gives a buffer of n bytes, held once. Its content is undefined.
func (p *Pool) Get(n int) *Buffer {
	class := max(bits.Len(uint(max(n, 1)-1)), smallest)
	if class > largest {
		return Of(make([]byte, n))
	}
	b, _ := p.bySize[class-smallest].Get().(*Buffer)
	if b == nil {
		b = &Buffer{Bytes: make([]byte, 1<<class), from: p}
	}
	b.Bytes = b.Bytes[:n]
	b.refs.Store(1)
	p.out.Add(1)
	return b
}

// Out gives how many buffers of the pool are held.
func (p *Pool) Out() int64 { return p.out.Load() }

func (p *Pool) put(b *Buffer) {
	p.out.Add(-1)
	p.bySize[bits.Len(uint(cap(b.Bytes)-1))-smallest].Put(b)
}
