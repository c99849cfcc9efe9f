//go:build linux

package webcam

import "encoding/binary"

// The processing unit and its controls (UVC 1.1, A.9.5).
const (
	unitID     = 2
	brightness = 2
	contrast   = 3
)

// Requests of the class (UVC 1.1, A.8).
const (
	setCur  = 0x01
	getCur  = 0x81
	getMin  = 0x82
	getMax  = 0x83
	getRes  = 0x84
	getLen  = 0x85
	getInfo = 0x86
	getDef  = 0x87
)

// request is what the host asks of endpoint 0 (USB 2.0, 9.3).
type request struct {
	kind, code   byte
	value, index uint16
	data         []byte // sent along
}

func parseRequest(setup, data []byte) request {
	return request{setup[0], setup[1], binary.LittleEndian.Uint16(setup[2:]), binary.LittleEndian.Uint16(setup[4:]), data}
}

// answer is what the camera says; false is a stall, which is a "no".
func (k *cable) answer(r request) ([]byte, bool) {
	switch r.kind & 0x60 {
	case 0:
		return k.standard(r)
	case 0x20:
		if r.index == 1 {
			return k.negotiate(r)
		}
		if r.index>>8 == unitID {
			return k.camera.adjust(r)
		}
	}
	return nil, false
}

// standard answers the requests that every device has (USB 2.0, 9.4).
func (k *cable) standard(r request) ([]byte, bool) {
	o := &k.camera.o
	switch r.code {
	case 6: // GET_DESCRIPTOR
		switch r.value >> 8 {
		case 1:
			return o.device(), true
		case 2:
			return o.config(), true
		case 3:
			return o.text(int(r.value & 0xff))
		}
		return nil, false
	case 0: // GET_STATUS
		return []byte{0, 0}, true
	case 8, 10: // GET_CONFIGURATION, GET_INTERFACE
		return []byte{1}, true
	case 1: // CLEAR_FEATURE: of the endpoint, which is how bulk transfers are given up
		if r.kind&0x1f == 2 {
			k.camera.turn(false)
		}
		return nil, true
	case 11: // SET_INTERFACE: with or without bandwidth for isochronous transfers
		if r.index == 1 {
			k.camera.turn(r.value != 0)
		}
		return nil, true
	case 3, 5, 9: // features, address, configuration
		return nil, true
	}
	return nil, false
}

// negotiate is how host and camera agree on size and rate (UVC 1.1, 4.3.1.1).
func (k *cable) negotiate(r request) ([]byte, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var cur *[26]byte
	switch r.value >> 8 {
	case 1:
		cur = &k.probe
	case 2:
		cur = &k.commit
	default:
		return nil, false
	}
	switch r.code {
	case setCur:
		copy(cur[:], r.data)
		sizes := k.camera.o.Sizes
		if cur[3] < 1 || int(cur[3]) > len(sizes) {
			cur[3] = 1
		}
		cur[2] = 1
		copy(cur[18:], le32(largest(sizes[cur[3]-1])))
		copy(cur[22:], le32(k.payload()))
		if k.camera.o.Bulk && cur == &k.commit {
			k.camera.turn(true) // there is no other sign of it
		}
		return nil, true
	case getCur, getMin, getMax, getDef:
		return append([]byte(nil), cur[:]...), true
	case getLen:
		return le16(len(cur)), true
	case getInfo:
		return []byte{3}, true
	}
	return nil, false
}

// adjust reads and sets the controls of the processing unit.
func (c *Camera) adjust(r request) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := r.value >> 8
	now, ok := c.controls[id]
	if !ok {
		return nil, false
	}
	low, high := -64, 64
	if id == contrast {
		low = 0
	}
	switch r.code {
	case setCur:
		if len(r.data) < 2 {
			return nil, false
		}
		c.controls[id] = int16(binary.LittleEndian.Uint16(r.data))
		return nil, true
	case getCur:
		return le16(int(now)), true
	case getMin:
		return le16(low), true
	case getMax:
		return le16(high), true
	case getRes:
		return le16(1), true
	case getDef:
		return le16(0), true
	case getLen:
		return le16(2), true
	case getInfo:
		return []byte{3}, true
	}
	return nil, false
}
