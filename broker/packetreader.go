package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"camqtt/internal/mqtt"
)

var (
	errLength = errors.New("remaining length takes more than four bytes [MQTT-2.2.3]")
	errDone   = errors.New("client has said that it goes")
)

// bufferSize holds nearly every packet but pictures.
const bufferSize = 512

// packetReader follows the packet boundaries of a client's stream. It is used by the
// connection's reader only.
type packetReader struct {
	receive  func([]byte) (int, error)
	deadline *readDeadline
	limits   *Limits
	count    *counters
	total    *atomic.Int64 // bytes of large packets that are being received from all

	// Set when CONNECT is handled.
	quota     *accountQuota
	version   byte
	connected bool
	idle      time.Duration // how long the client may be silent; 0 for ever

	buf   []byte
	r, w  int       // buf[r:w] was read and not yet handled
	limit bool      // a deadline is set
	by    time.Time // the current packet must be complete by then
	busy  bool      // the last read filled buf
	taken int       // of total, for the current packet
}

// head waits for a packet's fixed header and checks what it says: hl is its length, n
// that of what follows.
func (in *packetReader) head() (first byte, hl, n int, err error) {
	in.releaseReservation()
	in.setIdleDeadline()
	if err := in.fill(1); err != nil {
		return 0, 0, 0, err
	}
	in.setPacketDeadline()
	first = in.buf[in.r]
	switch joined := in.connected; {
	case !joined && (first>>4 != mqtt.Connect || first == tlsRecord):
		return 0, 0, 0, in.notMQTT()
	case joined:
		if bad := mqtt.CheckFirstByte(in.version, first); bad != nil {
			return 0, 0, 0, bad
		}
	}
	if hl, n, err = in.header(); err != nil {
		return 0, 0, 0, err
	}
	if err := in.checkSize(first>>4, n); err != nil {
		return 0, 0, 0, err
	}
	return first, hl, n, in.reserve(n)
}

// tlsRecord is the first byte of a TLS handshake, which as MQTT would be a CONNECT with
// wrong flags. RFC 8446 section 5.1.
const tlsRecord = 22

// notMQTT says what was sent in place of CONNECT.
func (in *packetReader) notMQTT() error {
	if in.buf[in.r] == tlsRecord {
		if err := in.fill(2); err != nil {
			return err
		}
	}
	got := in.buf[in.r:min(in.w, in.r+5)]
	method, _, _ := strings.Cut(string(got), " ")
	switch {
	case got[0] == tlsRecord && got[1] == 3:
		return errors.New("TLS was spoken to a plain port: use the port of broker.tls.listen, or mqtt:// for this one")
	case got[0] == tlsRecord:
		return errors.New("first byte of CONNECT is wrong [MQTT-2.1.3-1]")
	case slices.Contains([]string{"GET", "HEAD", "POST", "PUT"}, method):
		return errors.New("HTTP was spoken to an MQTT port: use the port of dashboard.listen")
	}
	return fmt.Errorf("%s in place of CONNECT [MQTT-3.1.0-1]", mqtt.TypeName(got[0]>>4))
}

// header reads the length of the next packet; hl is the length of its fixed header.
func (in *packetReader) header() (hl, n int, err error) {
	for want := 2; ; want++ {
		if err := in.fill(want); err != nil {
			return 0, 0, err
		}
		switch hl, n = mqtt.FixedHeader(in.buf[in.r:in.w]); {
		case hl > 0:
			return hl, n, nil
		case in.w-in.r >= 5:
			return 0, 0, errLength
		}
	}
}

// checkSize refuses a packet by its announced length, before anything is allocated
// for it.
func (in *packetReader) checkSize(typ byte, n int) error {
	most := in.limits.ControlPacket
	switch {
	case !in.connected:
		most = in.limits.ConnectPacket
	case typ == mqtt.Publish:
		most = in.limits.Packet
	}
	if n <= most {
		return nil
	}
	reason := fmt.Sprintf("%s of %d bytes, at most %d are allowed", mqtt.TypeName(typ), n, most)
	return &mqtt.Violation{Code: mqtt.PacketTooLarge, Reason: reason}
}

// reserve reserves room for a large packet, whose sender may take a minute to deliver it.
func (in *packetReader) reserve(n int) error {
	if n <= 64<<10 {
		return nil
	}
	in.taken = n
	if mine := in.quota.receive(n); in.total.Add(int64(n)) > int64(in.limits.InboundBytes) || mine > in.limits.share() {
		return &mqtt.Violation{Code: mqtt.ServerBusy, Reason: fmt.Sprintf("packet of %d bytes, too much is being received from its account or from all", n)}
	}
	return nil
}

func (in *packetReader) releaseReservation() {
	if in.taken > 0 {
		in.total.Add(-int64(in.taken))
		in.quota.receive(-in.taken)
		in.taken = 0
	}
}

// fill reads until at least n bytes are buffered. The buffer grows with what has come,
// not with what was announced.
func (in *packetReader) fill(n int) error {
	if in.r == in.w {
		in.r, in.w = 0, 0
		size := bufferSize // a connection that is silent shall cost little
		if in.busy {
			size = 8 * bufferSize
		}
		if len(in.buf) != size {
			in.buf = make([]byte, size)
		}
		in.busy = false
	}
	for in.w-in.r < n {
		switch {
		case in.r+n <= len(in.buf):
		case n <= len(in.buf):
			in.w = copy(in.buf, in.buf[in.r:in.w])
			in.r = 0
		case in.w-in.r == len(in.buf):
			longer := make([]byte, min(2*len(in.buf), n))
			copy(longer, in.buf)
			in.buf = longer
		default:
			in.w = copy(in.buf, in.buf[in.r:in.w])
			in.r = 0
		}
		m, err := in.receive(in.buf[in.w:])
		in.w += m
		in.busy = in.w == len(in.buf)
		if err != nil && in.w-in.r < n {
			return err
		}
	}
	return nil
}

// setIdleDeadline sets the deadline for the first byte of a packet: one and a half keepalives
// [MQTT-3.1.2-22]. Before CONNECT the deadline of newConn stands.
func (in *packetReader) setIdleDeadline() {
	if !in.connected {
		return
	}
	in.by = time.Time{}
	switch {
	case in.idle > 0:
		in.deadline.set(time.Now().Add(in.idle))
		in.limit = true
	case in.limit:
		in.deadline.set(time.Time{})
		in.limit = false
	}
}

// setPacketDeadline sets the deadline for the rest of a packet, once.
func (in *packetReader) setPacketDeadline() {
	if !in.connected || !in.by.IsZero() {
		return
	}
	in.by = time.Now().Add(in.limits.PacketTime)
	in.deadline.set(in.by)
	in.limit = true
}

// body takes a packet off the stream and gives what follows its fixed header, which
// is not written to again.
func (in *packetReader) body(hl, n int) ([]byte, error) {
	body := make([]byte, 0, min(n, 64<<10)) // grows with what has come, not with what was announced
	in.r += hl
	for len(body) < n {
		if in.r < in.w {
			k := min(n-len(body), in.w-in.r)
			body = append(body, in.buf[in.r:in.r+k]...)
			in.r += k
			continue
		}
		if len(body) == cap(body) {
			body = append(make([]byte, 0, min(2*len(body), n)), body...)
		}
		m, err := in.receive(body[len(body):min(cap(body), n)])
		body = body[:len(body)+m]
		if err != nil && len(body) < n {
			return nil, err
		}
	}
	in.count.packet(hl + n)
	return body, nil
}

// payload reads the rest of a packet into a buffer that all its receivers share.
func (in *packetReader) payload(into []byte) error {
	k := copy(into, in.buf[in.r:in.w])
	in.r += k
	for k < len(into) {
		m, err := in.receive(into[k:])
		k += m
		if err != nil && k < len(into) {
			return err
		}
	}
	return nil
}

// publishHead buffers what comes before the payload of a PUBLISH and gives its length.
func (in *packetReader) publishHead(first byte, hl, n int) (int, error) {
	for k := min(n, 4); ; {
		if err := in.fill(hl + k); err != nil {
			return 0, err
		}
		want, bad := mqtt.PublishHeadSize(in.version, first, in.buf[in.r+hl:in.r+hl+k], n)
		switch {
		case bad != nil:
			return 0, bad
		case want > in.limits.PropertyBytes:
			return 0, &mqtt.Violation{Code: mqtt.PacketTooLarge, Reason: "topic and properties are too long"}
		case want <= k:
			return want, nil
		}
		k = want
	}
}

// discard takes a packet off the stream.
func (in *packetReader) discard(n int) error {
	in.count.packet(n)
	for n > 0 {
		if err := in.fill(1); err != nil {
			return err
		}
		k := min(n, in.w-in.r)
		in.r += k
		n -= k
	}
	return nil
}
