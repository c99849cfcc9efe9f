package jpeg

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// recipe is a picture to be made by an encoder that can do what image/jpeg's
// cannot: any subsampling, restart markers, scans of single components.
type recipe struct {
	width, height int
	factors       [][2]int // sampling, horizontal and vertical, of each component
	every         int      // MCUs between restart markers
	planar        bool     // a scan for each component
	noTables      bool     // leaves the standard Huffman tables out
	closing       bool     // a restart marker behind the last full interval, too
	seed          uint64
}

func grey() [][2]int      { return [][2]int{{1, 1}} }
func fullTone() [][2]int  { return [][2]int{{1, 1}, {1, 1}, {1, 1}} }
func halfTone() [][2]int  { return [][2]int{{2, 1}, {1, 1}, {1, 1}} }
func quarter() [][2]int   { return [][2]int{{2, 2}, {1, 1}, {1, 1}} }
func fourthRow() [][2]int { return [][2]int{{4, 1}, {1, 1}, {1, 1}} }
func tall() [][2]int      { return [][2]int{{1, 2}, {1, 1}, {1, 1}} }

// chef is the encoder at work.
type chef struct {
	recipe
	hm, vm int
	planes []plane
	out    []byte
	acc    uint32
	n      int
	codes  [2][2]map[byte][2]int // class, id: symbol to code and length
	cos    [8][8]float64         // of the transform, by frequency and place
}

// plane is one component, padded to whole MCUs.
type plane struct {
	pix           []float64
	stride        int
	columns, rows int // blocks without padding
	pred          int
}

// cook makes the picture. Its tables are the standard ones, its quantisation 6.
func cook(t testing.TB, r recipe) []byte {
	t.Helper()
	c := &chef{recipe: r, hm: 1, vm: 1}
	for u := range 8 {
		for x := range 8 {
			c.cos[u][x] = math.Cos(float64((2*x+1)*u) * math.Pi / 16)
		}
	}
	for _, f := range r.factors {
		c.hm, c.vm = max(c.hm, f[0]), max(c.vm, f[1])
	}
	across, down := ceil(r.width, 8*c.hm), ceil(r.height, 8*c.vm)
	rng := rand.New(rand.NewPCG(r.seed, 7))
	for i, f := range r.factors {
		p := plane{stride: across * f[0] * 8, columns: ceil(ceil(r.width*f[0], c.hm), 8), rows: ceil(ceil(r.height*f[1], c.vm), 8)}
		p.pix = make([]float64, p.stride*down*f[1]*8)
		for k := range p.pix {
			x, y := float64(k%p.stride), float64(k/p.stride)
			p.pix[k] = min(max(128+90*math.Sin(x/17+float64(i))*math.Cos(y/23)+60*(rng.Float64()-0.5), 0), 255)
		}
		c.planes = append(c.planes, p)
	}
	c.head()
	all := make([]int, len(r.factors))
	for i := range all {
		all[i] = i
		if r.planar {
			c.scan([]int{i})
		}
	}
	if !r.planar {
		c.scan(all)
	}
	return append(c.out, 0xff, mEOI)
}

func (c *chef) segment(m byte, b ...byte) {
	c.out = append(c.out, 0xff, m)
	c.out = append(binary.BigEndian.AppendUint16(c.out, uint16(len(b)+2)), b...)
}

func (c *chef) head() {
	c.out = []byte{0xff, mSOI}
	table := make([]byte, 65)
	for i := range 64 {
		table[i+1] = 6
	}
	c.segment(mDQT, table...)
	frame := []byte{8, byte(c.height >> 8), byte(c.height), byte(c.width >> 8), byte(c.width), byte(len(c.factors))}
	for i, f := range c.factors {
		frame = append(frame, byte(i+1), byte(f[0]<<4|f[1]), 0)
	}
	c.segment(mSOF0, frame...)
	if !c.noTables {
		c.segment(mDHT, []byte(stdTables[4:])...)
	}
	if c.every > 0 {
		c.segment(mDRI, byte(c.every>>8), byte(c.every))
	}
	for s := []byte(stdTables[4:]); len(s) > 0; {
		codes, code, k := map[byte][2]int{}, 0, 17
		for l := 1; l <= 16; l++ {
			for range s[l] {
				codes[s[k]] = [2]int{code, l}
				code++
				k++
			}
			code <<= 1
		}
		c.codes[s[0]>>4][s[0]&15] = codes
		s = s[k:]
	}
}

func (c *chef) put(v, n int) {
	c.acc, c.n = c.acc<<n|uint32(v)&(1<<n-1), c.n+n
	for ; c.n >= 8; c.n -= 8 {
		b := byte(c.acc >> (c.n - 8))
		if c.out = append(c.out, b); b == 0xff {
			c.out = append(c.out, 0)
		}
	}
}

func (c *chef) flush() {
	if c.n > 0 {
		c.put(0x7f, 8-c.n)
	}
	c.acc, c.n = 0, 0
}

func (c *chef) symbol(class, id int, s byte) {
	code := c.codes[class][id][s]
	c.put(code[0], code[1])
}

// category is the size category of a coefficient, T.81 table F.1.
func category(v int) (size int) {
	for a := max(v, -v); a > 0; a >>= 1 {
		size++
	}
	return size
}

// value puts the bits of a coefficient.
func (c *chef) value(v, size int) {
	if v < 0 {
		v += 1<<size - 1
	}
	c.put(v, size)
}

func (c *chef) scan(which []int) {
	head := []byte{byte(len(which))}
	for _, i := range which {
		head = append(head, byte(i+1), byte(min(i, 1)*0x11))
	}
	c.segment(mSOS, append(head, 0, 63, 0)...)
	across, down := ceil(c.width, 8*c.hm), ceil(c.height, 8*c.vm)
	if len(which) == 1 {
		across, down = c.planes[which[0]].columns, c.planes[which[0]].rows
	}
	next := byte(mRST0)
	restart := func() {
		c.flush()
		c.out = append(c.out, 0xff, next)
		next = mRST0 + (next+1)&7
		for i := range c.planes {
			c.planes[i].pred = 0
		}
	}
	for mcu := range across * down {
		if c.every > 0 && mcu > 0 && mcu%c.every == 0 {
			restart()
		}
		for _, i := range which {
			f := c.factors[i]
			if len(which) == 1 {
				f = [2]int{1, 1}
			}
			for v := range f[1] {
				for u := range f[0] {
					c.block(i, mcu%across*f[0]+u, mcu/across*f[1]+v)
				}
			}
		}
	}
	if c.closing && c.every > 0 && across*down%c.every == 0 {
		restart()
	}
	c.flush()
}

// block transforms, quantises and writes one block.
func (c *chef) block(i, column, row int) {
	p, id := &c.planes[i], min(i, 1)
	var q [64]int
	for k := range 64 {
		u, v := zigzag(k)
		sum := 0.0
		for y := range 8 {
			for x := range 8 {
				sum += (p.pix[(row*8+y)*p.stride+column*8+x] - 128) *
					c.cos[u][x] * c.cos[v][y]
			}
		}
		for _, f := range [2]int{u, v} {
			if f == 0 {
				sum /= math.Sqrt2
			}
		}
		q[k] = int(math.Round(sum / 4 / 6))
	}
	diff := q[0] - p.pred
	p.pred = q[0]
	size := category(diff)
	c.symbol(classDC, id, byte(size))
	c.value(diff, size)
	run := 0
	for _, v := range q[1:] {
		if v == 0 {
			run++
			continue
		}
		for ; run > 15; run -= 16 {
			c.symbol(classAC, id, 0xf0)
		}
		size := category(v)
		c.symbol(classAC, id, byte(run<<4|size))
		c.value(v, size)
		run = 0
	}
	if run > 0 {
		c.symbol(classAC, id, 0)
	}
}

// zigzag is the place of the k-th coefficient, T.81 figure A.6.
func zigzag(k int) (u, v int) {
	for d := 0; ; d++ {
		n := min(d, 14-d) + 1 // coefficients on the diagonal u+v = d
		if k >= n {
			k -= n
			continue
		}
		a, b := min(d, 7)-k, max(d-7, 0)+k
		if d%2 == 1 {
			return a, b
		}
		return b, a
	}
}
