package mqttclient

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// ErrUnanswered is that a broker ended a connection without an answer to what was sent
// behind the CONNECT. Not every broker takes that, see [Options].Eager.
var ErrUnanswered = errors.New("the broker ended the connection without an answer")

// eagerConn saves the round trip of the CONNACK: it gives the client one at once, so that
// further packets follow the CONNECT, and looks at the broker's own when that comes.
// [MQTT-3.1.4, non-normative]: a client need not wait for the CONNACK.
type eagerConn struct {
	net.Conn
	given int // bytes of the CONNACK that the client has been given

	once     sync.Once
	answered chan struct{} // closed when the broker's own CONNACK has come, or cannot
	refusal  error         // what it says, or why it cannot; after answered
}

func newEager(conn net.Conn) *eagerConn {
	return &eagerConn{Conn: conn, answered: make(chan struct{})}
}

// accepted is a CONNACK of MQTT 3.1.1 that accepts.
func acceptedPacket() []byte { return []byte{packets.Connack << 4, 2, 0, packets.Accepted} }

// Read gives the CONNACK first. An error is what the broker's own says.
func (e *eagerConn) Read(b []byte) (int, error) {
	if ack := acceptedPacket(); e.given < len(ack) {
		n := copy(b, ack[e.given:])
		e.given += n
		return n, nil
	}
	e.once.Do(func() {
		e.refusal = e.connack()
		close(e.answered)
	})
	if e.refusal != nil {
		return 0, e.refusal
	}
	return e.Conn.Read(b)
}

func (e *eagerConn) connack() error {
	var p [4]byte
	if _, err := io.ReadFull(e.Conn, p[:]); err != nil {
		return err
	}
	if p[0] != packets.Connack<<4 || p[1] != 2 {
		return fmt.Errorf("the broker's first bytes are %x: want a CONNACK of MQTT 3.1.1", p)
	}
	if code := p[3]; code != packets.Accepted {
		if err := packets.ConnErrors[code]; err != nil {
			return err
		}
		return fmt.Errorf("the broker refused the connection with code %d", code)
	}
	return nil
}

// NetConn returns the connection below.
func (e *eagerConn) NetConn() net.Conn { return e.Conn }
