package node

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"sync/atomic"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// picture is a whole JPEG as it came. It gets a head of ours once it is to be sent.
type picture struct {
	at     time.Time
	raw    []byte // as it came; nil when joined is set
	info   jpeg.Info
	stamp  *stamp
	head   []byte // takes the place of what is before info.Body
	joined []byte // all of it in one piece, once that is needed
	id     string // ImageUniqueID, once there is a head

	buffer *jpeg.Buffer // that raw lies in
	users  atomic.Int32 // of raw, once there are any; with the last, buffer is released
}

// hold begins a use of the picture, which ends with drop.
func (p *picture) hold() { p.users.Add(1) }

// drop ends a use of the picture. A use that never ends costs only its memory.
func (p *picture) drop() {
	if p.users.Add(-1) == 0 {
		p.raw = nil
		p.buffer.Release()
	}
}

// size is that of the picture in bytes, without what is added to it when it is sent.
func (p *picture) size() int { return max(len(p.raw), len(p.joined)) }

// addHead gives the picture its head, with EXIF and Huffman tables.
func (p *picture) addHead() {
	if p.head == nil {
		p.id = p.stamp.imageID(p.at)
		p.head = jpeg.Head(p.raw, p.info, p.stamp.exif(p.at, p.id))
	}
}

// bytes returns the picture with its head in one piece.
func (p *picture) bytes() []byte {
	if p.joined == nil {
		p.addHead()
		p.joined = slices.Concat(p.head, p.info.Body(p.raw))
		p.raw = nil
	}
	return p.joined
}

// message returns m with the picture, which is not copied for it.
func (p *picture) message(m wire.Message) wire.Message {
	if p.joined != nil {
		m.Payload = p.joined
		return m
	}
	p.addHead()
	m.Head, m.Payload = p.head, p.info.Body(p.raw)
	return m
}

// mostHead is more than a head of ours adds to a picture, in bytes.
const mostHead = 16 << 10

// fits reports whether the picture has at most so many bytes when it is sent.
func (p *picture) fits(most int) bool {
	// Most pictures are small enough whatever their head is.
	return len(p.raw)+mostHead <= most || len(p.bytes()) <= most
}

// stamp makes the EXIF of a camera's pictures.
type stamp struct {
	profile     func() camera.Profile
	orientation int
	instance    string // of the node
	count       uint16 // of pictures, for their ids
}

func (s *stamp) exif(at time.Time, id string) jpeg.EXIF {
	p := s.profile()
	return jpeg.EXIF{Time: at, Make: p.Make, Model: p.Model, ID: id, Orientation: s.orientation}
}

// imageID makes the 32 hexadecimal digits of an EXIF ImageUniqueID: the time in
// microseconds, the node's instance, and a count.
func (s *stamp) imageID(at time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMicro()))
	copy(b[8:14], s.instance[:6])
	s.count++
	binary.BigEndian.PutUint16(b[14:], s.count)
	return hex.EncodeToString(b[:])
}
