package webcam

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"

	"camqtt/node/camera/webcam/v4l2"
)

// rawQuality is that of the pictures made of raw ones when nothing is asked.
const rawQuality = 80

// developer makes JPEGs of raw pictures. Taking one in is quick, so that the
// driver's buffer is free again before the encoding begins.
type developer struct {
	format  v4l2.Format
	quality int
	y, c    [256]byte // video range to the full range of a JPEG
	colour  *image.YCbCr
	grey    *image.Gray
	rgb     *image.RGBA
	last    int // bytes of the last picture
}

func newDeveloper(f v4l2.Format, quality int) *developer {
	d := &developer{format: f, quality: quality}
	for i := range 256 {
		d.y[i], d.c[i] = byte(i), byte(i)
		if !f.FullRange { // ITU-R BT.601: luma 16 to 235, chroma 16 to 240
			d.y[i] = byte(min(max((i-16)*255+109, 0)/219, 255))
			d.c[i] = byte(min(max((i-128)*255/224+128, 0), 255))
		}
	}
	r := image.Rect(0, 0, f.Width, f.Height)
	switch f.FourCC {
	case v4l2.YUYV, v4l2.UYVY, v4l2.NV12, v4l2.YU12:
		d.colour = image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
	case v4l2.GREY:
		d.grey = image.NewGray(r)
	default:
		d.rgb = image.NewRGBA(r)
	}
	return d
}

// take copies a raw picture. It fails when bytes are missing.
func (d *developer) take(b []byte) error {
	f := d.format
	width := f.Width // bytes of a row that are picture
	rows := f.Height // of that stride
	switch f.FourCC {
	case v4l2.YUYV, v4l2.UYVY:
		width = (f.Width + 1) / 2 * 4
	case v4l2.RGB3:
		width = 3 * f.Width
	case v4l2.NV12, v4l2.YU12:
		rows += (f.Height + 1) / 2
	}
	stride := max(f.Stride, width)
	if want := stride*(rows-1) + width; len(b) < want {
		return fmt.Errorf("got %d bytes of a picture, want %d", len(b), want)
	}
	for y := range f.Height {
		row := b[y*stride : y*stride+width]
		switch f.FourCC {
		case v4l2.YUYV:
			d.packed(y, row, 0)
		case v4l2.UYVY:
			d.packed(y, row, 1)
		case v4l2.RGB3:
			out := d.rgb.Pix[y*d.rgb.Stride:][:4*f.Width]
			for x := range f.Width {
				out[4*x], out[4*x+1], out[4*x+2], out[4*x+3] = row[3*x], row[3*x+1], row[3*x+2], 255
			}
		case v4l2.GREY:
			d.through(d.grey.Pix[y*d.grey.Stride:][:f.Width], row, &d.y)
		default:
			d.through(d.colour.Y[y*d.colour.YStride:][:f.Width], row, &d.y)
		}
	}
	switch f.FourCC {
	case v4l2.NV12:
		d.pairs(b[f.Height*stride:], stride)
	case v4l2.YU12:
		d.planes(b[f.Height*stride:], stride/2)
	}
	return nil
}

// packed takes a row of Y U Y V; swap is 1 for U Y V Y. The chroma of two rows
// becomes one: the encoder takes twice as long when it has to do that.
func (d *developer) packed(y int, row []byte, swap int) {
	im := d.colour
	w := d.format.Width
	luma := im.Y[y*im.YStride:][:w]
	cb, cr := im.Cb[y/2*im.CStride:][:(w+1)/2], im.Cr[y/2*im.CStride:][:(w+1)/2]
	second := y%2 == 1
	for x := range cb {
		four := row[4*x : 4*x+4]
		luma[2*x] = d.y[four[swap]]
		if 2*x+1 < w {
			luma[2*x+1] = d.y[four[2+swap]]
		}
		u, v := d.c[four[1-swap]], d.c[four[3-swap]]
		if second {
			u, v = byte((int(u)+int(cb[x])+1)/2), byte((int(v)+int(cr[x])+1)/2)
		}
		cb[x], cr[x] = u, v
	}
}

// pairs takes the plane of U V U V.
func (d *developer) pairs(b []byte, stride int) {
	im := d.colour
	for y := range (d.format.Height + 1) / 2 {
		row := b[y*stride:]
		cb, cr := im.Cb[y*im.CStride:][:im.CStride], im.Cr[y*im.CStride:][:im.CStride]
		for x := range (d.format.Width + 1) / 2 {
			if 2*x+1 < len(row) {
				cb[x], cr[x] = d.c[row[2*x]], d.c[row[2*x+1]]
			}
		}
	}
}

// planes takes a plane of U and one of V.
func (d *developer) planes(b []byte, stride int) {
	im := d.colour
	w, h := (d.format.Width+1)/2, (d.format.Height+1)/2
	for y := range 2 * h {
		to, from := im.Cb, y
		if y >= h {
			to, from = im.Cr, y-h
		}
		if row := b[min(y*stride, len(b)):]; len(row) >= w {
			d.through(to[from*im.CStride:][:w], row, &d.c)
		}
	}
}

func (d *developer) through(to, from []byte, table *[256]byte) {
	if d.format.FullRange {
		copy(to, from)
		return
	}
	for i := range to {
		to[i] = table[from[i]]
	}
}

// mean is the brightness of the picture taken last, 0 to 255, by a sample of it.
func (d *developer) mean() float64 {
	switch {
	case d.colour != nil:
		return sampled(d.colour.Y, 1)
	case d.grey != nil:
		return sampled(d.grey.Pix, 1)
	}
	return sampled(d.rgb.Pix[1:], 4) // green is most of what the eye calls bright
}

// jpeg encodes the picture taken last.
func (d *developer) jpeg() ([]byte, error) {
	var im image.Image = d.rgb
	switch {
	case d.colour != nil:
		im = d.colour
	case d.grey != nil:
		im = d.grey
	}
	out := bytes.NewBuffer(make([]byte, 0, max(d.last+d.last/8, 16<<10)))
	if err := jpeg.Encode(out, im, &jpeg.Options{Quality: d.quality}); err != nil {
		return nil, fmt.Errorf("encode picture: %w", err)
	}
	d.last = out.Len()
	return out.Bytes(), nil
}

// sampled is the mean of some thousand of the samples, which are step apart.
func sampled(pix []byte, step int) float64 {
	step *= max(1, len(pix)/step/4096) | 1 // odd, so as not to see one column only
	sum, n := 0, 0
	for i := 0; i < len(pix); i += step {
		sum += int(pix[i])
		n++
	}
	return float64(sum) / float64(max(n, 1))
}
