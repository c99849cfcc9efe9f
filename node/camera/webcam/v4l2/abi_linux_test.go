package v4l2

import (
	"testing"
	"unsafe"
)

// TestSizes holds the structures to the kernel's sizes, taken from the request
// numbers that strace prints on a machine of each word size.
func TestSizes(t *testing.T) {
	wide := unsafe.Sizeof(uintptr(0)) == 8
	pick := func(w32, w64 uintptr) uintptr {
		if wide {
			return w64
		}
		return w32
	}
	for name, s := range map[string]struct{ got, want uintptr }{
		"v4l2_capability":     {unsafe.Sizeof(capability{}), 104},
		"v4l2_fmtdesc":        {unsafe.Sizeof(fmtDesc{}), 64},
		"v4l2_format":         {unsafe.Sizeof(format{}), pick(204, 208)},
		"v4l2_requestbuffers": {unsafe.Sizeof(requestBuffers{}), 20},
		"v4l2_buffer":         {unsafe.Sizeof(buffer{}), pick(68, 88)},
		"v4l2_streamparm":     {unsafe.Sizeof(streamParm{}), 204},
		"v4l2_queryctrl":      {unsafe.Sizeof(queryCtrl{}), 68},
		"v4l2_control":        {unsafe.Sizeof(ctrlValue{}), 8},
		"v4l2_frmsizeenum":    {unsafe.Sizeof(frameSize{}), 44},
		"v4l2_frmivalenum":    {unsafe.Sizeof(frameInterval{}), 52},
	} {
		if s.got != s.want {
			t.Errorf("%s has %d bytes, want %d", name, s.got, s.want)
		}
	}
	for name, o := range map[string]struct{ got, want uintptr }{
		"v4l2_format.pix":       {unsafe.Offsetof(format{}.pix), pick(4, 8)},
		"v4l2_buffer.timestamp": {unsafe.Offsetof(buffer{}.timestamp), pick(20, 24)},
		"v4l2_buffer.sequence":  {unsafe.Offsetof(buffer{}.sequence), pick(44, 56)},
		"v4l2_buffer.m":         {unsafe.Offsetof(buffer{}.m), pick(52, 64)},
		"v4l2_buffer.length":    {unsafe.Offsetof(buffer{}.length), pick(56, 72)},
		"v4l2_queryctrl.flags":  {unsafe.Offsetof(queryCtrl{}.flags), 56},
	} {
		if o.got != o.want {
			t.Errorf("%s is at %d, want %d", name, o.got, o.want)
		}
	}
	// Two request numbers as other programs have them, for amd64 and 386.
	if got, want := uintptr(reqDQBuf), pick(0xc0445611, 0xc0585611); got != want {
		t.Errorf("VIDIOC_DQBUF is %#x, want %#x", got, want)
	}
	if got, want := uintptr(reqSetFmt), pick(0xc0cc5605, 0xc0d05605); got != want {
		t.Errorf("VIDIOC_S_FMT is %#x, want %#x", got, want)
	}
}

func TestFourCC(t *testing.T) {
	for f, want := range map[FourCC]string{
		MJPG: "MJPG", YUYV: "YUYV", GREY: "GREY",
		0x20363159: "Y16",
		0x00000001: "????",
	} {
		if got := f.String(); got != want {
			t.Errorf("FourCC(%#x) = %q, want %q", uint32(f), got, want)
		}
	}
}
