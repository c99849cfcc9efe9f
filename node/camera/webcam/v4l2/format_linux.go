package v4l2

import (
	"fmt"
	"slices"
	"unsafe"
)

// maxEntries bounds how long a driver is believed when it enumerates.
const maxEntries = 256

// Size is that of a picture, in pixels.
type Size struct{ Width, Height int }

// Format is a picture's shape in memory.
type Format struct {
	FourCC FourCC
	Size
	// Stride is the distance from one row to the next in bytes, where rows have
	// a meaning.
	Stride int
	// Bytes is how large a picture can be.
	Bytes int
	// FullRange means that luma is 0 to 255, as in a JPEG; else it is 16 to 235.
	FullRange bool
}

// Formats lists the pixel formats of the node, in the driver's order.
func (d *Device) Formats() []FourCC {
	var all []FourCC
	for i := range uint32(maxEntries) {
		f := fmtDesc{index: i, typ: typeCapture}
		if d.ioctl(reqEnumFmt, unsafe.Pointer(&f)) != nil {
			break // EINVAL: there are no more
		}
		if !slices.Contains(all, f.pixelFormat) {
			all = append(all, f.pixelFormat)
		}
	}
	return all
}

// usual are the sizes that are told to people of a driver that takes any.
func usual() []Size {
	return []Size{
		{160, 120},
		{320, 240},
		{640, 480},
		{800, 600},
		{1024, 768},
		{1280, 720},
		{1280, 960},
		{1600, 1200},
		{1920, 1080},
		{2560, 1440},
		{2592, 1944},
		{3840, 2160},
	}
}

// Sizes lists the sizes of a pixel format, smallest first. Of a driver that
// scales freely it lists the usual ones that it can do.
func (d *Device) Sizes(f FourCC) []Size {
	var all []Size
	for i := range uint32(maxEntries) {
		s := frameSize{index: i, pixelFormat: f}
		if d.ioctl(reqFrameSizes, unsafe.Pointer(&s)) != nil {
			break
		}
		if s.typ != discrete {
			all = s.usual()
			break
		}
		all = append(all, Size{int(s.minWidth), int(s.maxWidth)}) // the union's first two fields
	}
	slices.SortFunc(all, func(a, b Size) int {
		if n := a.Width*a.Height - b.Width*b.Height; n != 0 {
			return n
		}
		return a.Width - b.Width
	})
	return slices.Compact(all)
}

// usual are the usual sizes within a range of the driver's.
func (s *frameSize) usual() []Size {
	fits := func(n int, least, most, step uint32) bool {
		v := uint32(n)
		return v >= least && v <= most && (v-least)%max(step, 1) == 0
	}
	var all []Size
	for _, u := range usual() {
		if fits(u.Width, s.minWidth, s.maxWidth, s.stepWidth) && fits(u.Height, s.minHeight, s.maxHeight, s.stepHeight) {
			all = append(all, u)
		}
	}
	return all
}

// MaxFPS is the highest rate of a format and size in pictures per second; 0
// when the driver does not say.
func (d *Device) MaxFPS(f FourCC, s Size) float64 {
	best := 0.0
	for i := range uint32(maxEntries) {
		v := frameInterval{index: i, pixelFormat: f, width: uint32(s.Width), height: uint32(s.Height)}
		if d.ioctl(reqIntervals, unsafe.Pointer(&v)) != nil {
			break
		}
		best = max(best, v.min.perSecond()) // a discrete one, or the shortest of a range
		if v.typ != discrete {
			break
		}
	}
	return best
}

// perSecond turns an interval in seconds into a rate; 0 for what is no interval.
func (f fraction) perSecond() float64 {
	if f.num == 0 || f.den == 0 {
		return 0
	}
	return float64(f.den) / float64(f.num)
}

// SetFormat asks for a pixel format and size, and returns what the driver made
// of it: another size when it does not have this one, even another pixel format.
// Errors wrap unix.EBUSY when another program streams.
func (d *Device) SetFormat(c FourCC, s Size) (Format, error) {
	f := format{typ: typeCapture}
	f.pix = pixFormat{width: uint32(s.Width), height: uint32(s.Height), pixelFormat: c, field: fieldNone}
	if err := d.ioctl(reqSetFmt, unsafe.Pointer(&f)); err != nil {
		return Format{}, fmt.Errorf("set %s to %s %dx%d: %w", d.path, c, s.Width, s.Height, err)
	}
	p := f.pix
	got := Format{
		FourCC: p.pixelFormat, Size: Size{int(p.width), int(p.height)},
		Stride: int(p.bytesPerLine), Bytes: int(p.sizeImage),
		FullRange: p.fullRange(),
	}
	return got, nil
}

// fullRange goes by what the driver says, and by the defaults of the format
// where it says nothing (V4L2_MAP_QUANTIZATION_DEFAULT). Grey ones come from
// infrared cameras, which use all values.
func (p *pixFormat) fullRange() bool {
	switch p.quantization {
	case quantizationFull:
		return true
	case quantizationLimited:
		return false
	}
	return p.colorspace == colorspaceJPEG || p.pixelFormat == RGB3 || p.pixelFormat == GREY
}

// SetRate asks for a rate in pictures per second and returns what the driver
// made of it; 0 asks for nothing. The result is 0 when the driver has no say in
// the rate. Errors wrap unix.EBUSY when another program streams.
func (d *Device) SetRate(fps float64) (float64, error) {
	p := streamParm{typ: typeCapture}
	if err := d.ioctl(reqGetParm, unsafe.Pointer(&p)); err != nil || p.capability&capPerFrame == 0 {
		return p.perFrame.perSecond(), nil // an old driver, or one that cannot: its rate is what it is
	}
	if fps <= 0 {
		return p.perFrame.perSecond(), nil
	}
	p.perFrame = interval(fps)
	if err := d.ioctl(reqSetParm, unsafe.Pointer(&p)); err != nil {
		return 0, fmt.Errorf("set %s to %v pictures per second: %w", d.path, fps, err)
	}
	return p.perFrame.perSecond(), nil
}

// interval is a rate as a fraction of seconds. Whole rates stay whole: there
// are drivers that compare fractions by their terms.
func interval(fps float64) fraction {
	if fps == float64(uint32(fps)) {
		return fraction{1, uint32(fps)}
	}
	return fraction{1000, uint32(fps*1000 + 0.5)}
}
