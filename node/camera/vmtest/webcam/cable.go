//go:build linux

package webcam

import (
	"encoding/binary"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// USB/IP (Linux, Documentation/usb/usbip_protocol.rst): a header of 48 bytes,
// big endian, then data.
const (
	cmdSubmit = 1
	cmdUnlink = 2
	retSubmit = 3
	retUnlink = 4

	headerBytes = 48
	isoBytes    = 16 // description of one isochronous packet

	errStall = -32  // EPIPE
	errReset = -104 // ECONNRESET
)

// cable is the connection of a plugged-in camera with the kernel.
type cable struct {
	camera *Camera
	conn   *os.File
	wmu    sync.Mutex // over writing
	done   sync.WaitGroup
	pulled chan struct{}
	wake   chan struct{} // a transfer has come to be filled

	mu            sync.Mutex
	pending       []transfer
	probe, commit [26]byte
}

// transfer is a request for pictures.
type transfer struct {
	seq     uint32
	bytes   int
	packets []packet // of an isochronous one
}

// packet is a part of a transfer.
type packet struct{ offset, length, actual uint32 }

func newCable(c *Camera, conn *os.File) *cable {
	k := &cable{camera: c, conn: conn, pulled: make(chan struct{}), wake: make(chan struct{}, 1)}
	s := c.o.Sizes[0]
	copy(k.probe[:], slices.Concat(le16(1), []byte{1, 1}, le32(10_000_000/30), make([]byte, 10), le32(largest(s)), le32(k.payload())))
	k.commit = k.probe
	return k
}

// payload is the most that a transfer, or a packet of it, carries.
func (k *cable) payload() int {
	if k.camera.o.Bulk {
		return bulkBytes
	}
	return packetBytes
}

func (k *cable) start() {
	k.done.Go(k.serve)  // ends when the connection is closed
	k.done.Go(k.stream) // ends when the cable is pulled
}

func (k *cable) stop() {
	close(k.pulled)
	k.conn.Close()
	k.done.Wait()
}

// serve answers the kernel until the connection is closed.
func (k *cable) serve() {
	h := make([]byte, headerBytes)
	for {
		if _, err := io.ReadFull(k.conn, h); err != nil {
			return
		}
		switch binary.BigEndian.Uint32(h) {
		case cmdSubmit:
			if err := k.submitted(h); err != nil {
				return
			}
		case cmdUnlink:
			k.unlink(h)
		}
	}
}

// submitted takes one transfer: endpoint 0 is answered at once, the pictures'
// waits for pictures.
func (k *cable) submitted(h []byte) error {
	seq, in := binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[12:]) == 1
	n, packets := int(binary.BigEndian.Uint32(h[24:])), int(int32(binary.BigEndian.Uint32(h[32:])))
	var data []byte
	if !in {
		data = make([]byte, n)
		if _, err := io.ReadFull(k.conn, data); err != nil {
			return err
		}
	}
	if binary.BigEndian.Uint32(h[16:]) == 0 {
		out, ok := k.answer(parseRequest(h[40:48], data))
		switch {
		case !ok:
			k.reply(transfer{seq: seq}, errStall, nil)
		case in:
			k.reply(transfer{seq: seq}, 0, out[:min(len(out), n)])
		default:
			k.reply(transfer{seq: seq, bytes: n}, 0, nil)
		}
		return nil
	}
	t := transfer{seq: seq, bytes: n}
	for range max(packets, 0) {
		var d [isoBytes]byte
		if _, err := io.ReadFull(k.conn, d[:]); err != nil {
			return err
		}
		t.packets = append(t.packets, packet{offset: binary.BigEndian.Uint32(d[0:]), length: binary.BigEndian.Uint32(d[4:])})
	}
	k.mu.Lock()
	k.pending = append(k.pending, t)
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return nil
}

// unlink takes a transfer back, if it has not been filled yet. What was taken
// back must not be answered any more: the kernel would pull the cable.
func (k *cable) unlink(h []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	status := 0
	if k.drop(binary.BigEndian.Uint32(h[20:])) {
		status = errReset
	}
	out := make([]byte, headerBytes)
	binary.BigEndian.PutUint32(out, retUnlink)
	copy(out[4:8], h[4:8])
	binary.BigEndian.PutUint32(out[20:], uint32(int32(status)))
	k.write(out)
}

// drop forgets a transfer that waits to be filled; false when there is none.
// The caller holds mu.
func (k *cable) drop(seq uint32) bool {
	before := len(k.pending)
	k.pending = slices.DeleteFunc(k.pending, func(t transfer) bool { return t.seq == seq })
	return len(k.pending) < before
}

// fill answers a transfer that waits; false when it was taken back.
func (k *cable) fill(t transfer, data []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.drop(t.seq) {
		return false
	}
	t.bytes = len(data)
	k.reply(t, 0, data)
	return true
}

// reply ends a transfer. Of an isochronous one only the bytes that packets
// really have are sent, one packet after the other.
func (k *cable) reply(t transfer, status int, data []byte) {
	out := make([]byte, headerBytes, headerBytes+len(data)+isoBytes*len(t.packets))
	binary.BigEndian.PutUint32(out, retSubmit)
	binary.BigEndian.PutUint32(out[4:], t.seq)
	binary.BigEndian.PutUint32(out[20:], uint32(int32(status)))
	binary.BigEndian.PutUint32(out[24:], uint32(max(len(data), t.bytes)))
	binary.BigEndian.PutUint32(out[32:], uint32(len(t.packets)))
	out = append(out, data...)
	for _, p := range t.packets {
		out = binary.BigEndian.AppendUint32(out, p.offset)
		out = binary.BigEndian.AppendUint32(out, p.length)
		out = binary.BigEndian.AppendUint32(out, p.actual)
		out = binary.BigEndian.AppendUint32(out, 0)
	}
	k.write(out)
}

func (k *cable) write(b []byte) {
	k.wmu.Lock()
	defer k.wmu.Unlock()
	_, _ = k.conn.Write(b) // fails when the cable is pulled, which serve notices
}

// next waits for a transfer to fill.
func (k *cable) next() (transfer, bool) {
	for {
		k.mu.Lock()
		if len(k.pending) > 0 {
			t := k.pending[0] // fill takes it away
			k.mu.Unlock()
			return t, true
		}
		k.mu.Unlock()
		select {
		case <-k.wake:
		case <-k.pulled:
			return transfer{}, false
		}
	}
}

// agreed is the size and time between pictures that the host has asked for.
func (k *cable) agreed() (Size, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	every := time.Duration(binary.LittleEndian.Uint32(k.commit[4:])) * 100
	return k.camera.o.Sizes[k.commit[3]-1], max(every, 10*time.Millisecond)
}

// stream sends pictures for as long as the host gives transfers to fill: it
// does so only while it wants pictures.
func (k *cable) stream() {
	var fid byte
	due := time.Now()
	for n := 0; ; n++ {
		if _, ok := k.next(); !ok {
			return
		}
		pic, ok := k.picture(n, &due)
		if !ok {
			return
		}
		if !k.send(pic, fid) {
			return
		}
		fid ^= 1
		k.camera.set(func() { k.camera.sent++ })
	}
}

// picture waits until the next one is due and there is one.
func (k *cable) picture(n int, due *time.Time) ([]byte, bool) {
	for {
		size, every := k.agreed()
		now := time.Now()
		*due = due.Add(every)
		if due.Before(now) {
			*due = now.Add(every)
		}
		select {
		case <-time.After(due.Sub(now)):
		case <-k.pulled:
			return nil, false
		}
		var held bool
		k.camera.set(func() { held = k.camera.held })
		if held {
			continue
		}
		if pic := k.camera.o.Picture(n, size); pic != nil {
			return pic, true
		}
	}
}

// send fills transfers with a picture. Each payload begins with a header that
// says to which picture it belongs and whether it is the last of it. A picture
// whose transfers are taken back is left unfinished.
func (k *cable) send(pic []byte, fid byte) bool {
	var damaged bool
	k.camera.set(func() { damaged = k.camera.damaged })
	part := func(room int) []byte {
		n := min(len(pic), room-2)
		flags := 0x80 | fid
		if n == len(pic) {
			flags |= 0x02 // end of picture
			if damaged {
				flags |= 0x40 // error
			}
		}
		b := append([]byte{2, flags}, pic[:n]...)
		pic = pic[n:]
		return b
	}
	for len(pic) > 0 {
		t, ok := k.next()
		if !ok {
			return false
		}
		var data []byte
		if t.packets == nil {
			data = part(min(t.bytes, bulkBytes))
		}
		for i := range t.packets {
			if len(pic) > 0 {
				b := part(min(int(t.packets[i].length), packetBytes))
				t.packets[i].actual = uint32(len(b))
				data = append(data, b...)
			}
		}
		if !k.fill(t, data) {
			return true
		}
	}
	return true
}
