package sharedbuffer

import "testing"

// A buffer is back in its pool after its last holder, whatever its size.
func TestBuffersComeBack(t *testing.T) {
	var p Pool
	for _, n := range []int{0, 1, 1 << smallest, 1<<smallest + 1, 1 << largest, 1<<largest + 1} {
		b := p.Get(n)
		b.Hold()
		b.Release()
		if pooled := n <= 1<<largest; len(b.Bytes) != n || (p.Out() == 1) != pooled {
			t.Errorf("%d bytes: got %d, %d are out", n, len(b.Bytes), p.Out())
		}
		b.Release()
		if p.Out() != 0 {
			t.Errorf("%d bytes: %d are out after the last release", n, p.Out())
		}
	}
	var none *Buffer
	none.Hold()
	none.Release()
}
