package testcard

import (
	"image"
	"image/jpeg"
	"io"
	"math"
	"strconv"
	"time"

	"golang.org/x/image/font/basicfont"
)

// card is a moving test picture, drawn straight into the planes that the JPEG
// encoder reads, so nothing is converted.
type card struct {
	img   *image.YCbCr
	back  *image.YCbCr // what does not move: copied under every picture
	font  *letters
	label []byte
	scale int // of the small text
	count int64
	paint colour // of what moves
	text  []byte // scratch
}

// colour is one in the encoder's own terms.
type colour struct{ y, cb, cr uint8 }

var (
	ink   = colour{235, 128, 128}
	paper = colour{24, 128, 128}
)

func newCard(width, height, hue int, label string) *card {
	r := image.Rect(0, 0, width, height)
	c := &card{
		img:   image.NewYCbCr(r, image.YCbCrSubsampleRatio420),
		back:  image.NewYCbCr(r, image.YCbCrSubsampleRatio420),
		font:  newLetters(),
		scale: max(1, min(width/320, height/240)),
		paint: hued(210, float64(hue+180), 90),
	}
	for _, r := range label {
		if r < ' ' || r > '~' {
			r = '?'
		}
		c.label = append(c.label, byte(r))
	}
	c.background(float64(hue))
	return c
}

// hued is a colour of the given lightness, hue in degrees and strength.
func hued(y uint8, hue, strength float64) colour {
	sin, cos := math.Sincos(hue * math.Pi / 180)
	return colour{y, uint8(128 + strength*cos), uint8(128 + strength*sin)}
}

// background is a slope of light and colour with grain on it: without the grain
// the JPEG would be a fifth of what a camera makes of a room.
func (c *card) background(hue float64) {
	w, h := c.back.Rect.Dx(), c.back.Rect.Dy()
	seed := uint32(1)
	for y := range h {
		row := c.back.Y[y*c.back.YStride:][:w]
		for x := range row {
			seed ^= seed << 13
			seed ^= seed >> 17
			seed ^= seed << 5
			row[x] = uint8(60 + 60*x/w + 60*y/h + int(seed>>8%11))
		}
	}
	for y := range (h + 1) / 2 {
		for x := range (w + 1) / 2 {
			k := hued(0, hue+float64(40*y/h), 30+50*float64(x)/float64(w))
			i := y*c.back.CStride + x
			c.back.Cb[i], c.back.Cr[i] = k.cb, k.cr
		}
	}
}

// draw makes the picture of the moment at: the clock in it says exactly that,
// and where things are depends on nothing else.
func (c *card) draw(at time.Time) {
	copy(c.img.Y, c.back.Y)
	copy(c.img.Cb, c.back.Cb)
	copy(c.img.Cr, c.back.Cr)
	w, h := c.img.Rect.Dx(), c.img.Rect.Dy()
	at = at.UTC()
	c.count++

	radius := max(2, h/9)
	c.disc(radius+swing(at, 4100*time.Millisecond, w-2*radius), radius+swing(at, 2900*time.Millisecond, h-2*radius), radius)

	// A bar at the bottom that fills once a second shows lag at a glance.
	bar := max(2, h/60)
	c.box(image.Rect(0, h-bar, w, h), paper)
	c.box(image.Rect(0, h-bar, w*at.Nanosecond()/int(time.Second), h), ink)

	s := c.scale
	line := c.font.height * s
	c.write(4*s, h-bar-6*s-5*line, 2*s, c.label)
	c.text = at.AppendFormat(c.text[:0], "15:04:05.000")
	c.write(4*s, h-bar-4*s-3*line, 2*s, c.text)
	c.text = at.AppendFormat(c.text[:0], "2006-01-02 UTC #")
	c.text = strconv.AppendInt(c.text, c.count, 10)
	c.write(4*s, h-bar-4*s-line, s, c.text)
}

// encode writes what was drawn last as a JPEG.
func (c *card) encode(w io.Writer, quality int) error {
	return jpeg.Encode(w, c.img, &jpeg.Options{Quality: quality})
}

// swing goes to and fro between 0 and reach, once in every period.
func swing(at time.Time, period time.Duration, reach int) int {
	phase := float64(at.UnixNano()%int64(period)) / float64(period)
	if phase > 0.5 {
		phase = 1 - phase
	}
	return int(2 * phase * float64(max(0, reach)))
}

func (c *card) disc(x, y, radius int) {
	for dy := -radius; dy < radius; dy++ {
		half := int(math.Sqrt(float64(radius*radius - dy*dy)))
		c.row(y+dy, x-half, x+half, c.paint)
	}
}

func (c *card) box(r image.Rectangle, k colour) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		c.row(y, r.Min.X, r.Max.X, k)
	}
}

// row paints pixels x0 to x1 of one row, as far as they are in the picture.
func (c *card) row(y, x0, x1 int, k colour) {
	x0, x1 = max(0, x0), min(x1, c.img.Rect.Dx())
	if y < 0 || y >= c.img.Rect.Dy() || x0 >= x1 {
		return
	}
	fill(c.img.Y[y*c.img.YStride+x0:y*c.img.YStride+x1], k.y)
	if y%2 == 0 {
		from, to := y/2*c.img.CStride+x0/2, y/2*c.img.CStride+(x1+1)/2
		fill(c.img.Cb[from:to], k.cb)
		fill(c.img.Cr[from:to], k.cr)
	}
}

func fill(b []uint8, v uint8) {
	for i := range b {
		b[i] = v
	}
}

// write puts a line of text on a plain ground, its top left corner at x, y;
// letters that do not fit are left out.
func (c *card) write(x, y, scale int, text []byte) {
	wide := c.font.width * scale
	text = text[:min(len(text), max(0, (c.img.Rect.Dx()-2*x)/wide))]
	if len(text) == 0 {
		return
	}
	x, y = x&^1, y&^1 // colour has half the resolution
	c.box(image.Rect(x-2*scale, y, x+len(text)*wide+scale, y+c.font.height*scale), paper)
	for i, ch := range text {
		for dy, bits := range c.font.rows[ch&0x7f] {
			for dx := 0; bits != 0; dx, bits = dx+1, bits>>1 {
				if bits&1 != 0 {
					c.dot(x+i*wide+dx*scale, y+dy*scale, scale)
				}
			}
		}
	}
}

// dot is one point of a letter: light only, the ground has no colour already.
func (c *card) dot(x, y, scale int) {
	for dy := range scale {
		if y+dy < 0 || y+dy >= c.img.Rect.Dy() {
			continue
		}
		at := (y+dy)*c.img.YStride + x
		fill(c.img.Y[at:at+scale], ink.y)
	}
}

// letters are those of ASCII as rows of points, lowest bit leftmost.
type letters struct {
	width, height int
	rows          [128][13]uint8
}

func newLetters() *letters {
	face := basicfont.Face7x13
	l := &letters{width: face.Advance, height: len(letters{}.rows[0])}
	for _, r := range face.Ranges {
		for ch := r.Low; ch < r.High && int(ch) < len(l.rows); ch++ {
			top := (int(ch-r.Low) + r.Offset) * face.Height
			for y := range l.height {
				for x := range face.Width {
					if _, _, _, a := face.Mask.At(x, top+y).RGBA(); a >= 0x8000 {
						l.rows[ch][y] |= 1 << x
					}
				}
			}
		}
	}
	return l
}
