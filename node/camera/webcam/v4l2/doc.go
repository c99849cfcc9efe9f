// Package v4l2 speaks to cameras through the kernel's Video4Linux2 interface,
// without cgo. It owns the open device: its descriptor, its buffers and its
// waiting. It never converts or judges a picture, never restarts a stream and
// keeps no device open that was not asked for.
package v4l2

// FourCC names a pixel format by four letters, the first in the lowest byte
// (include/uapi/linux/videodev2.h, v4l2_fourcc).
type FourCC uint32

// The pixel formats that are of use for pictures.
const (
	MJPG FourCC = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24 // JPEG, Huffman tables may be left out
	JPEG FourCC = 'J' | 'P'<<8 | 'E'<<16 | 'G'<<24 // JPEG
	YUYV FourCC = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24 // 4:2:2, Y U Y V
	UYVY FourCC = 'U' | 'Y'<<8 | 'V'<<16 | 'Y'<<24 // 4:2:2, U Y V Y
	NV12 FourCC = 'N' | 'V'<<8 | '1'<<16 | '2'<<24 // 4:2:0, a plane of Y, then one of U V
	YU12 FourCC = 'Y' | 'U'<<8 | '1'<<16 | '2'<<24 // 4:2:0, planes of Y, U and V
	RGB3 FourCC = 'R' | 'G'<<8 | 'B'<<16 | '3'<<24 // R G B
	GREY FourCC = 'G' | 'R'<<8 | 'E'<<16 | 'Y'<<24 // Y only
)

// String is the four letters; what is no printable letter becomes a question
// mark, and spaces at the end are left out.
func (f FourCC) String() string {
	b := []byte{byte(f), byte(f >> 8), byte(f >> 16), byte(f >> 24)}
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return string(b)
}
