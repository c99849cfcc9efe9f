//go:build linux

package webcam

import "slices"

// Sizes of transfers: of one isochronous packet, and of the payload of a bulk one.
const (
	packetBytes = 1024
	bulkBytes   = 16 << 10
	endpoint    = 0x81
)

func le16(v int) []byte { return []byte{byte(v), byte(v >> 8)} }

func le32(v int) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }

// block is a descriptor: its length, then its parts.
func block(parts ...[]byte) []byte {
	b := slices.Concat(parts...)
	return append([]byte{byte(len(b) + 1)}, b...)
}

// device is the device descriptor (USB 2.0, table 9-8): a composite device with
// an interface association.
func (o *Options) device() []byte {
	serial := byte(0)
	if o.Serial != "" {
		serial = 3
	}
	return block([]byte{1}, le16(0x0200), []byte{0xef, 2, 1, 64}, le16(0x1d6b), le16(0x0102), le16(0x0100), []byte{1, 2, serial, 1})
}

// config is the configuration descriptor with all that belongs to it.
func (o *Options) config() []byte {
	body := slices.Concat(
		block([]byte{0x0b, 0, 2, 14, 3, 0, 2}), // interface association
		o.control(), o.streaming(),
	)
	return slices.Concat(block([]byte{2}, le16(9+len(body)), []byte{2, 1, 0, 0x80, 50}), body)
}

// control is the video control interface (UVC 1.1, 3.7): a camera, a
// processing unit with brightness and contrast, and an output.
func (o *Options) control() []byte {
	units := slices.Concat(
		block([]byte{0x24, 2, 1}, le16(0x0201), []byte{0, 0}, le16(0), le16(0), le16(0), []byte{3, 0, 0, 0}),
		block([]byte{0x24, 5, unitID, 1}, le16(0), []byte{2}, le16(0x0003), []byte{0}),
		block([]byte{0x24, 3, 3}, le16(0x0101), []byte{0, unitID, 0}),
	)
	return slices.Concat(
		block([]byte{4, 0, 0, 0, 14, 1, 0, 2}),
		block([]byte{0x24, 1}, le16(0x0100), le16(13+len(units)), le32(48_000_000), []byte{1, 1}),
		units,
	)
}

// streaming is the video streaming interface: MJPEG in the sizes of the
// camera, each at 30, 15, 10 and 5 pictures per second.
func (o *Options) streaming() []byte {
	var frames []byte
	for i, s := range o.Sizes {
		rates := []int{30, 15, 10, 5}
		f := [][]byte{{0x24, 7, byte(i + 1), 0}, le16(s.Width), le16(s.Height), le32(1 << 20), le32(1 << 26), le32(largest(s)), le32(10_000_000 / 30), {byte(len(rates))}}
		for _, r := range rates {
			f = append(f, le32(10_000_000/r))
		}
		frames = append(frames, block(f...)...)
	}
	body := slices.Concat(
		block([]byte{0x24, 6, 1, byte(len(o.Sizes)), 0, 1, 0, 0, 0, 0}),
		frames,
		block([]byte{0x24, 0x0d, 1, 1, 4}), // colour: BT.709 primaries, BT.601 matrix
	)
	header := block([]byte{0x24, 1, 1}, le16(14+len(body)), []byte{endpoint, 0, 3, 0, 0, 0, 1, 0})
	if o.Bulk {
		return slices.Concat(block([]byte{4, 1, 0, 1, 14, 2, 0, 0}), header, body,
			block([]byte{5, endpoint, 2}, le16(512), []byte{0}))
	}
	// Isochronous: the first setting takes no bandwidth, the second does.
	return slices.Concat(block([]byte{4, 1, 0, 0, 14, 2, 0, 0}), header, body,
		block([]byte{4, 1, 1, 1, 14, 2, 0, 0}), block([]byte{5, endpoint, 5}, le16(packetBytes), []byte{1}))
}

// largest is how large a picture can be.
func largest(s Size) int { return 2 * s.Width * s.Height }

// text is a string descriptor.
func (o *Options) text(i int) ([]byte, bool) {
	if i == 0 {
		return block([]byte{3}, le16(0x0409)), true // in English
	}
	all := []string{o.Maker, o.Name, o.Serial}
	if i > len(all) {
		return nil, false
	}
	b := []byte{3}
	for _, r := range all[i-1] {
		b = append(b, le16(int(r))...)
	}
	return block(b), true
}
