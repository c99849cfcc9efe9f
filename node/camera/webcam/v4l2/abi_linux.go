package v4l2

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The structures of include/uapi/linux/videodev2.h. One set serves 32- and
// 64-bit machines: what differs is where the kernel has a pointer, a long or a
// timeval. Unread fields are kept because the sizes are part of the
// request numbers.

type capability struct {
	driver  [16]byte
	card    [32]byte
	busInfo [32]byte
	version, capabilities, deviceCaps,
	_, _, _ uint32
}

type fmtDesc struct {
	index, typ, flags uint32
	description       [32]byte
	pixelFormat       FourCC
	_                 [4]uint32
}

// format holds a union with a pointer in it, so what follows the type is
// aligned to the machine's word.
type format struct {
	typ uint32
	_   [unsafe.Sizeof(uintptr(0)) - 4]byte
	pix pixFormat
	_   [200 - unsafe.Sizeof(pixFormat{})]byte
}

type pixFormat struct {
	width, height uint32
	pixelFormat   FourCC
	field, bytesPerLine, sizeImage, colorspace, priv,
	flags, ycbcrEnc, quantization, xferFunc uint32
}

type requestBuffers struct {
	count, typ, memory, capabilities, flags uint32
}

// buffer has the kernel's own idea of a timeval, which on 32-bit machines has
// two 32-bit fields; the kernel knows it by the size in the request number.
type buffer struct {
	index, typ, bytesUsed, flags, field uint32
	timestamp                           unix.Timeval
	timecode                            [4]uint32
	sequence, memory                    uint32
	m                                   uintptr // union: the offset is the first 32 bits of it
	length, _, _                        uint32
}

type fraction struct{ num, den uint32 }

type streamParm struct {
	typ, capability, mode uint32
	perFrame              fraction
	extended, readBuffers uint32
	_                     [176]byte
}

type queryCtrl struct {
	id, typ             uint32
	name                [32]byte
	min, max, step, def int32
	flags               uint32
	_                   [2]uint32
}

type ctrlValue struct {
	id    uint32
	value int32
}

type frameSize struct {
	index       uint32
	pixelFormat FourCC
	typ         uint32
	// Discrete: width and height are the first two.
	minWidth, maxWidth, stepWidth, minHeight, maxHeight, stepHeight uint32
	_                                                               [2]uint32
}

type frameInterval struct {
	index          uint32
	pixelFormat    FourCC
	width, height  uint32
	typ            uint32
	min, max, step fraction // discrete: the first one
	_              [2]uint32
}

// Request numbers (include/uapi/asm-generic/ioctl.h): direction, size of the
// argument, 'V', number.
const (
	dirWrite = 1 << 30
	dirRead  = 2 << 30
	dirBoth  = dirRead | dirWrite

	reqQueryCap   = dirRead | unsafe.Sizeof(capability{})<<16 | 'V'<<8
	reqEnumFmt    = dirBoth | unsafe.Sizeof(fmtDesc{})<<16 | 'V'<<8 | 2
	reqSetFmt     = dirBoth | unsafe.Sizeof(format{})<<16 | 'V'<<8 | 5
	reqReqBufs    = dirBoth | unsafe.Sizeof(requestBuffers{})<<16 | 'V'<<8 | 8
	reqQueryBuf   = dirBoth | unsafe.Sizeof(buffer{})<<16 | 'V'<<8 | 9
	reqQBuf       = dirBoth | unsafe.Sizeof(buffer{})<<16 | 'V'<<8 | 15
	reqDQBuf      = dirBoth | unsafe.Sizeof(buffer{})<<16 | 'V'<<8 | 17
	reqStreamOn   = dirWrite | 4<<16 | 'V'<<8 | 18
	reqStreamOff  = dirWrite | 4<<16 | 'V'<<8 | 19
	reqGetParm    = dirBoth | unsafe.Sizeof(streamParm{})<<16 | 'V'<<8 | 21
	reqSetParm    = dirBoth | unsafe.Sizeof(streamParm{})<<16 | 'V'<<8 | 22
	reqGetCtrl    = dirBoth | unsafe.Sizeof(ctrlValue{})<<16 | 'V'<<8 | 27
	reqSetCtrl    = dirBoth | unsafe.Sizeof(ctrlValue{})<<16 | 'V'<<8 | 28
	reqQueryCtrl  = dirBoth | unsafe.Sizeof(queryCtrl{})<<16 | 'V'<<8 | 36
	reqFrameSizes = dirBoth | unsafe.Sizeof(frameSize{})<<16 | 'V'<<8 | 74
	reqIntervals  = dirBoth | unsafe.Sizeof(frameInterval{})<<16 | 'V'<<8 | 75
)

const (
	typeCapture = 1 // V4L2_BUF_TYPE_VIDEO_CAPTURE
	memoryMmap  = 1 // V4L2_MEMORY_MMAP
	fieldNone   = 1 // V4L2_FIELD_NONE: progressive

	capCapture    = 0x1
	capStreaming  = 0x04000000
	capDeviceCaps = 0x80000000
	capIOMC       = 0x20000000 // set up through the media controller: an ISP's node
	capPerFrame   = 0x1000     // of streamParm: the rate can be set

	discrete = 1 // V4L2_FRMSIZE_TYPE_DISCRETE, V4L2_FRMIVAL_TYPE_DISCRETE

	bufError          = 0x40
	bufClockMask      = 0xe000
	bufClockMonotonic = 0x2000
	bufSourceMask     = 0x70000
	bufSourceExposure = 0x10000 // V4L2_BUF_FLAG_TSTAMP_SRC_SOE

	colorspaceJPEG      = 7
	quantizationFull    = 1
	quantizationLimited = 2
)
