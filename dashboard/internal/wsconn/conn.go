// Package wsconn makes a WebSocket a net.Conn that carries MQTT, and lets a broker write
// frames to the connection below.
package wsconn

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"camqtt/dashboard/internal/respond"
	"camqtt/internal/access"
	"camqtt/internal/sendbuffer"
)

// unsentBytes is how much the kernel may hold of a connection that has not left yet.
const unsentBytes = 64 << 10

// controlTime is how long a control frame may wait for the line.
const controlTime = 5 * time.Second

// Conn makes a WebSocket a net.Conn that carries MQTT: Read yields the bytes of
// binary messages, in which packets may begin and end anywhere [MQTT-6.0.0-4]; each
// Write is one message. It also has the methods by which a broker frames packets
// itself and writes shared bytes straight to the line: Line, AppendHead and Bind.
// Once bound, nothing here writes to the line.
type Conn struct {
	ws    *websocket.Conn
	line  net.Conn
	from  net.Addr
	user  access.Principal
	known bool         // user is known
	heard atomic.Int64 // counts reads that brought something, pongs included

	msg io.Reader // rest of the message being read
	err error     // how reading ended; the WebSocket library allows no second try

	mu    sync.Mutex // held while writing to the line
	bound func(frame []byte) error
	gone  bool
	by    atomic.Pointer[time.Time] // deadline of Write; nil: none
}

// controlGate stands between the WebSocket library and the line. The library answers pings,
// closes and faults by itself; its frames must take their turn like any other.
type controlGate struct {
	net.Conn
	sock *Conn // nil during the handshake
}

// Read counts what comes, to tell a quiet peer from a dead one.
func (g *controlGate) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if g.sock != nil && n > 0 {
		g.sock.heard.Add(1)
	}
	return n, err
}

// Write takes the handshake's answer, and later one control frame at a time.
func (g *controlGate) Write(p []byte) (int, error) {
	if g.sock == nil {
		return g.Conn.Write(p)
	}
	if err := g.sock.control(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetWriteDeadline leaves the line's alone: it belongs to the writer of packets.
func (g *controlGate) SetWriteDeadline(t time.Time) error {
	if g.sock == nil {
		return g.Conn.SetWriteDeadline(t)
	}
	return nil
}

// hijacker gives the WebSocket library the gate for the connection.
type hijacker struct {
	http.ResponseWriter
	gate *controlGate
}

// Hijack takes the connection over and returns the gate before it.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if p, ok := c.(interface{ PlainTCP() *net.TCPConn }); ok { // the wrapper has done its work
		c = p.PlainTCP()
	}
	h.gate.Conn = c
	return h.gate, rw, nil
}

// Options describe a client to [Upgrade].
type Options struct {
	From         net.Addr         // its address, also behind a proxy
	User         access.Principal // whom HTTP has identified
	Known        bool             // whether it has
	MessageBytes int64            // largest message from the client
}

// Upgrade turns a request into a Conn. On an error it has answered.
func Upgrade(w http.ResponseWriter, r *http.Request, o Options) (*Conn, error) {
	up := websocket.Upgrader{
		HandshakeTimeout: 10 * time.Second,
		ReadBufferSize:   4096,
		WriteBufferSize:  512,                                      // it writes control frames only
		CheckOrigin:      func(*http.Request) bool { return true }, // was checked
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			respond.Text(w, status, "%s", reason)
		},
	}
	h := &hijacker{ResponseWriter: w, gate: &controlGate{}}
	ws, err := up.Upgrade(h, r, http.Header{"Sec-Websocket-Protocol": {Subprotocol(r)}})
	if err != nil {
		return nil, err
	}
	sendbuffer.Limit(h.gate.Conn, unsentBytes)
	s := &Conn{ws: ws, line: h.gate.Conn, from: o.From, user: o.User, known: o.Known}
	h.gate.sock = s
	ws.SetReadLimit(o.MessageBytes)
	return s, nil
}

// Read returns bytes of binary messages. After any error, a passed deadline
// included, the connection cannot be read again.
func (s *Conn) Read(p []byte) (int, error) {
	for s.err == nil {
		if s.msg == nil {
			kind, r, err := s.ws.NextReader()
			if err != nil {
				s.err = ending(err)
				break
			}
			if kind != websocket.BinaryMessage { // [MQTT-6.0.0-1]
				s.CloseWith(websocket.CloseUnsupportedData, "MQTT is sent in binary messages")
				s.err = errors.New("a text message came: want MQTT packets in binary messages")
				break
			}
			s.msg = r
		}
		n, err := s.msg.Read(p)
		switch {
		case errors.Is(err, io.EOF):
			s.msg = nil
		case err != nil:
			s.err = ending(err)
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
	return 0, s.err
}

// ending maps the end of a WebSocket to that of a byte stream.
func ending(err error) error {
	if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived) {
		return io.EOF
	}
	if websocket.IsCloseError(err, websocket.CloseAbnormalClosure) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write sends p as one message.
func (s *Conn) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bound != nil || s.gone {
		return 0, net.ErrClosed
	}
	var head [10]byte
	var by time.Time
	if t := s.by.Load(); t != nil {
		by = *t
	}
	_ = s.line.SetWriteDeadline(by) // a control frame may have set another
	frame := net.Buffers{s.AppendHead(head[:0], len(p)), p}
	n, err := frame.WriteTo(s.line)
	if err != nil {
		_ = s.line.Close() // part of a frame may be out: nothing can follow it
		return 0, fmt.Errorf("send %d bytes, of which %d went: %w", len(p), n, err)
	}
	return len(p), nil
}

// Ready waits until the line takes bytes or the write deadline has passed.
func (s *Conn) Ready() error { return sendbuffer.AwaitRoom(s.line) }

// control sends one whole control frame.
func (s *Conn) control(frame []byte) error {
	s.mu.Lock()
	if put := s.bound; put != nil {
		s.mu.Unlock()
		return put(frame)
	}
	defer s.mu.Unlock()
	return s.writeControl(frame, controlTime)
}

// writeControl writes to an unbound line. The caller holds mu.
func (s *Conn) writeControl(frame []byte, patience time.Duration) error {
	if s.gone {
		return net.ErrClosed
	}
	_ = s.line.SetWriteDeadline(time.Now().Add(patience))
	_, err := s.line.Write(frame)
	if err != nil {
		_ = s.line.Close()
	}
	return err
}

// ping asks for a sign of life.
func (s *Conn) ping() error {
	return s.control([]byte{0x80 | websocket.PingMessage, 0})
}

// CloseWith tells the browser why before the connection is closed. It never waits
// for a browser that takes nothing.
func (s *Conn) CloseWith(code int, reason string) {
	payload := websocket.FormatCloseMessage(code, reason[:min(len(reason), 120)])
	frame := append([]byte{0x80 | websocket.CloseMessage, byte(len(payload))}, payload...)
	if !s.mu.TryLock() { // a Write is under way
		return
	}
	if put := s.bound; put != nil {
		s.mu.Unlock()
		_ = put(frame) // an ended connection needs no farewell
		return
	}
	defer s.mu.Unlock()
	if s.writeControl(frame, controlTime/50) == nil {
		s.gone = true
	}
}

// Close closes the line without a word.
func (s *Conn) Close() error { return s.line.Close() }

// LocalAddr returns the address of this end.
func (s *Conn) LocalAddr() net.Addr { return s.line.LocalAddr() }

// RemoteAddr returns the address of the browser, also behind a proxy on this machine.
func (s *Conn) RemoteAddr() net.Addr { return s.from }

// SetDeadline sets both deadlines.
func (s *Conn) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// SetReadDeadline ends Read at t, for good.
func (s *Conn) SetReadDeadline(t time.Time) error { return s.line.SetReadDeadline(t) }

// SetWriteDeadline is for Write, also one that is under way. A broker that is bound
// sets the deadline of the line itself.
func (s *Conn) SetWriteDeadline(t time.Time) error {
	s.by.Store(&t)
	return s.line.SetWriteDeadline(t)
}

// Line returns the connection beneath, for a broker that frames.
func (s *Conn) Line() net.Conn { return s.line }

// RequestUser returns the user whom HTTP has identified. A CONNECT without credentials is
// then that user's.
func (s *Conn) RequestUser() (access.Principal, bool) { return s.user, s.known }

// AppendHead appends the head of a final, unmasked binary frame of n bytes.
// RFC 6455 section 5.2.
func (s *Conn) AppendHead(dst []byte, n int) []byte {
	dst = append(dst, 0x80|websocket.BinaryMessage)
	switch {
	case n < 126:
		return append(dst, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
}

// Bind hands the line over: from here on control frames go to the function.
func (s *Conn) Bind(control func(frame []byte) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound = control
}

// KeepAlive sends pings until ctx is done. It closes the connection when nothing has come
// for two pings.
func (s *Conn) KeepAlive(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	before, silent := s.heard.Load(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		silent++
		if now := s.heard.Load(); now != before {
			before, silent = now, 0
		}
		if silent == 2 { // the ping of the last turn was not answered
			_ = s.line.Close()
			return
		}
		if s.ping() != nil {
			return
		}
	}
}
