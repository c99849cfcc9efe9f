package mqttclient

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	mqtt5 "github.com/eclipse/paho.golang/packets"

	"camqtt/internal/wire"
)

// Limits are what a broker does not take although MQTT 3.1.1 allows it. Only MQTT 5 has a
// way to tell them, so a connection of 3.1.1 that breaks one just ends.
type Limits struct {
	MaxPacket int  // bytes of the largest packet; 0: not told
	NoRetain  bool // messages with the retain flag are refused
}

const (
	askedAgain = 10 * time.Minute // the least time between two questions
	bulky      = 1 << 10          // bytes of a message over which a broker could end a connection
	blamed     = 5 * time.Second  // how long after such a message the end is blamed on it
	maxConnAck = 1 << 16          // bytes read of the broker's answer
)

// limiter finds out a broker's limits when a connection has ended as if it had broken one.
type limiter struct {
	mu        sync.Mutex
	known     Limits
	suspected bool      // the last connection may have ended over a limit
	asked     time.Time // when the broker was last asked
	bulk      time.Time // when a large message was last handed over
}

// handed notes messages that are about to be sent.
func (l *limiter) handed(msgs []wire.Message) {
	for _, m := range msgs {
		if len(m.Payload) >= bulky {
			l.mu.Lock()
			l.bulk = time.Now()
			l.mu.Unlock()
			return
		}
	}
}

// ended notes that a connection has ended that was in use.
func (l *limiter) ended() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.suspected = l.suspected || time.Since(l.bulk) < blamed
}

// refused notes that a broker has ended a connection in place of accepting it. A retained
// will is a reason for that, which is said in the error.
func (l *limiter) refused(will *wire.Message, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if will == nil || !will.Retained || l.known.NoRetain || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		return err
	}
	l.suspected = true
	return fmt.Errorf("%w; a broker that refuses retained messages ends the connection like this. Try: mqtt.retain: false", err)
}

// due reports whether the broker is to be asked now.
func (l *limiter) due() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.suspected || !l.asked.IsZero() && time.Since(l.asked) < askedAgain {
		return false
	}
	l.suspected, l.asked = false, time.Now()
	return true
}

func (l *limiter) learn(x Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = x
}

func (l *limiter) limits() Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known
}

// askLimits asks the broker for its limits, on a connection of its own, where the last
// connection has ended as if it had broken one. No answer is no limit.
func (l *Link) askLimits(ctx context.Context, turn int) {
	if !l.limiter.due() {
		return
	}
	x, err := l.ask5(ctx, turn)
	if err != nil {
		l.opts.Log.Debug("broker does not tell its limits", "err", err)
		return
	}
	x.NoRetain = x.NoRetain || l.opts.NoRetain
	if x == l.limiter.limits() {
		return
	}
	l.limiter.learn(x)
	l.opts.Log.Info("broker tells its limits", "max_packet", x.MaxPacket, "retain", !x.NoRetain)
	if l.opts.Limits != nil {
		l.opts.Limits(x)
	}
}

// ask5 connects with MQTT 5, in which a broker says what it does not take, and leaves.
func (l *Link) ask5(ctx context.Context, turn int) (Limits, error) {
	conn, where, err := l.dialer.dial(ctx, turn)
	if err != nil {
		return Limits{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(l.opts.Timeout)) // a connection without deadlines ends with ctx
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	user, password := l.dialer.credentials(where)
	x, err := exchange5(conn, &mqtt5.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, CleanStart: true, KeepAlive: 60, ClientID: l.opts.ClientID, Properties: &mqtt5.Properties{},
		UsernameFlag: user != "", Username: user, PasswordFlag: password != "", Password: []byte(password),
	})
	if err != nil {
		return x, fmt.Errorf("ask %s with MQTT 5: %w", where, err)
	}
	return x, nil
}

// exchange5 sends CONNECT, reads CONNACK and sends DISCONNECT.
func exchange5(conn net.Conn, c *mqtt5.Connect) (Limits, error) {
	hello := mqtt5.NewControlPacket(mqtt5.CONNECT)
	hello.Content = c
	if _, err := hello.WriteTo(conn); err != nil {
		return Limits{}, err
	}
	x, err := readLimits(conn)
	if err != nil {
		return Limits{}, err
	}
	_, _ = mqtt5.NewControlPacket(mqtt5.DISCONNECT).WriteTo(conn) // the answer has come
	return x, nil
}

// readLimits reads the limits in a CONNACK. [MQTT 5, 3.2.2.3]
func readLimits(r io.Reader) (x Limits, err error) {
	// The client library makes room for as many bytes as a header announces, up to 256 MB.
	var head [5]byte
	n := 0
	for n < 2 || n < len(head) && head[n-1]&0x80 != 0 {
		if _, err := io.ReadFull(r, head[n:n+1]); err != nil {
			return x, fmt.Errorf("read CONNACK: %w", err)
		}
		n++
	}
	if size, whole := binary.Uvarint(head[1:n]); whole <= 0 || size > maxConnAck {
		return x, fmt.Errorf("read CONNACK: %d bytes: want at most %d", size, maxConnAck)
	}
	p, err := mqtt5.ReadPacket(io.MultiReader(bytes.NewReader(head[:n]), r))
	if err != nil {
		return x, fmt.Errorf("read CONNACK: %w", err)
	}
	ack, ok := p.Content.(*mqtt5.Connack)
	if !ok {
		return x, fmt.Errorf("read CONNACK: got %s", p.PacketType())
	}
	if ack.ReasonCode != 0 {
		return x, fmt.Errorf("refused: reason code 0x%02x", ack.ReasonCode)
	}
	if v := ack.Properties.MaximumPacketSize; v != nil {
		x.MaxPacket = int(min(*v, 1<<30))
	}
	if v := ack.Properties.RetainAvailable; v != nil {
		x.NoRetain = *v == 0
	}
	return x, nil
}

// allowed takes the retain flag off messages for a broker that refuses it.
func (l *Link) allowed(msgs []wire.Message) []wire.Message {
	if !l.limiter.limits().NoRetain {
		return msgs
	}
	plain := make([]wire.Message, 0, len(msgs))
	for _, m := range msgs {
		m.Retained = false
		plain = append(plain, m)
	}
	return plain
}
