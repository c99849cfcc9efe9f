package board

import (
	"maps"
	"slices"
)

// Size is that of a picture, in pixels.
type Size struct{ Width, Height int }

func (s Size) pixels() int { return s.Width * s.Height }

// layouts are in which order releases of the driver have numbered their sizes.
// They are guesses to begin with; what counts is the picture that comes.
func layouts() [][]Size {
	return [][]Size{
		{{96, 96}, {160, 120}, {128, 128}, {176, 144}, {240, 176}, {240, 240}, {320, 240}, {320, 320}, {400, 296}, {480, 320}, {640, 480}, {800, 600}, {1024, 768}, {1280, 720}, {1280, 1024}, {1600, 1200}, {1920, 1080}, {720, 1280}, {864, 1536}, {2048, 1536}, {2560, 1440}, {2560, 1600}, {1080, 1920}, {2560, 1920}},
		{{96, 96}, {160, 120}, {176, 144}, {240, 176}, {240, 240}, {320, 240}, {400, 296}, {480, 320}, {640, 480}, {800, 600}, {1024, 768}, {1280, 720}, {1280, 1024}, {1600, 1200}, {1920, 1080}, {720, 1280}, {864, 1536}, {2048, 1536}, {2560, 1440}, {2560, 1600}, {1080, 1920}, {2560, 1920}},
		{{160, 120}, {128, 160}, {176, 144}, {240, 176}, {320, 240}, {400, 296}, {640, 480}, {800, 600}, {1024, 768}, {1280, 1024}, {1600, 1200}, {2048, 1536}},
	}
}

// Numbers is what a board's frame size numbers have turned out to mean. The zero
// value knows nothing.
type Numbers struct {
	known   map[int]Size
	refused map[int]bool
}

// Learn notes what the picture was that came with a number.
func (n *Numbers) Learn(number int, s Size) {
	if n.known == nil {
		n.known = map[int]Size{}
	}
	n.known[number] = s
	delete(n.refused, number)
}

// Refuse notes that the board does not take a number.
func (n *Numbers) Refuse(number int) {
	if n.refused == nil {
		n.refused = map[int]bool{}
	}
	n.refused[number] = true
	delete(n.known, number)
}

// Size is what a number has turned out to mean.
func (n *Numbers) Size(number int) (s Size, known bool) {
	s, known = n.known[number]
	return s, known
}

// For is the number to try for a size: known, or guessed from what is known. It
// is below 0 when nothing is left to try.
func (n *Numbers) For(want Size) int {
	for _, number := range slices.Sorted(maps.Keys(n.known)) {
		if n.known[number] == want {
			return number
		}
	}
	untried := func(number int) bool {
		_, known := n.known[number]
		return number >= 0 && !known && !n.refused[number]
	}
	all := layouts()
	slices.SortStableFunc(all, func(a, b []Size) int { return n.contradictions(a) - n.contradictions(b) })
	for _, l := range all {
		if number := slices.Index(l, want); untried(number) && n.contradictions(l) == 0 {
			return number
		}
	}
	return n.between(want, untried)
}

// contradictions is how many of the known numbers a layout has wrong.
func (n *Numbers) contradictions(layout []Size) (wrong int) {
	for number, s := range n.known {
		if number >= len(layout) || layout[number] != s {
			wrong++
		}
	}
	return wrong
}

// between looks where the size must be if numbers grow with sizes, as they do but
// for a few.
func (n *Numbers) between(want Size, untried func(int) bool) int {
	below, above := -1, -1
	for number, s := range n.known {
		if s.pixels() < want.pixels() {
			below = max(below, number)
		} else if above < 0 || number < above {
			above = number
		}
	}
	if above < 0 {
		above = below + 4
	}
	for number := (below + above) / 2; number < above; number++ {
		if untried(number) {
			return number
		}
	}
	for number := (below + above) / 2; number > below; number-- {
		if untried(number) {
			return number
		}
	}
	return -1
}

// Offered are the sizes that a board can be asked for as far as is known, smallest
// first. sensor is as in Status.
func (n *Numbers) Offered(sensor string) (all []Size) {
	most := Size{1600, 1200}.pixels()
	if sensor != "" && sensor != "OV2640" {
		most = Size{2560, 1920}.pixels()
	}
	for _, s := range n.known {
		most = max(most, s.pixels())
	}
	seen := map[Size]bool{}
	for _, l := range layouts() {
		if n.contradictions(l) > 0 && len(n.known) > 0 {
			continue
		}
		for number, s := range l {
			if s.pixels() <= most && !n.refused[number] && s.Width >= s.Height && s.Width >= 160 {
				seen[s] = true
			}
		}
	}
	for _, s := range n.known {
		seen[s] = true
	}
	all = slices.Collect(maps.Keys(seen))
	slices.SortFunc(all, func(a, b Size) int {
		if d := a.pixels() - b.pixels(); d != 0 {
			return d
		}
		return a.Width - b.Width
	})
	return all
}
