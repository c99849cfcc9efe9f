package jpeg

import (
	"bytes"
	"testing"
	"testing/iotest"
)

// Pictures of all sizes stay as they are until they are released, however the memory of
// others is used again.
func TestBuffer(t *testing.T) {
	var stream []byte
	var want [][]byte
	for i := range 60 {
		p := encode(t, 64+i%7*90, 48+i%5*110, uint64(i))
		want = append(want, p)
		stream = append(stream, measured(p)...)
	}
	s := NewSplitter(iotest.HalfReader(bytes.NewReader(stream)), SplitterOptions{})
	type held struct {
		pic, want []byte
		buffer    *Buffer
	}
	var kept []held
	for i, p := range want {
		got, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		h := held{got, p, s.Buffer()}
		if s.Buffer() != nil {
			t.Error("the memory of a picture was handed out twice")
		}
		if kept = append(kept, h); i%3 == 0 { // one in three is never released
			continue
		}
		old := kept[len(kept)/2]
		if !bytes.Equal(old.pic, old.want) {
			t.Fatalf("picture %d has changed before it was released", len(kept)/2)
		}
		old.buffer.Release()
		old.buffer.Release()
		kept = append(kept[:len(kept)/2], kept[len(kept)/2+1:]...)
	}
	for _, h := range kept {
		if !bytes.Equal(h.pic, h.want) {
			t.Error("a picture has changed that was not released")
		}
	}
}

// A picture that is released makes room for a later one: nothing but the note of that is
// allocated.
func TestBufferReused(t *testing.T) {
	pic := encode(t, 640, 480, 1)
	stream := bytes.NewReader(bytes.Repeat(measured(pic), 300))
	s := NewSplitter(stream, SplitterOptions{})
	next := func() {
		if got, err := s.Next(); err != nil || !bytes.Equal(got, pic) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
		s.Buffer().Release()
	}
	for range 10 {
		next()
	}
	res := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if stream.Len() < 4*len(pic) {
				stream.Seek(0, 0)
			}
			next()
		}
	})
	if n := res.AllocedBytesPerOp(); n > 1024 {
		t.Errorf("%d bytes allocated for each picture of %d, want none of its size", n, len(pic))
	}
}
