package mqttclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"camqtt/internal/mdns"
)

// webSocketConn carries MQTT in binary messages. [MQTT-6.0.0-1]
type webSocketConn struct {
	*websocket.Conn
	reading sync.Mutex
	message io.Reader // what is left of the message that is being read
	writing sync.Mutex
}

// dialWebSocket opens a WebSocket for MQTT, until ctx is done, through the proxy of the
// environment where there is one.
func dialWebSocket(ctx context.Context, address string, conf *tls.Config) (net.Conn, error) {
	var stop func() bool // the library heeds only the deadline of ctx once it is connected
	d := websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, Subprotocols: []string{"mqtt"},
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := mdns.Dial(ctx, new(net.Dialer), network, addr)
			if err == nil {
				stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		},
	}
	conn, answer, err := d.DialContext(ctx, address, nil)
	if stop != nil && !stop() && err == nil { // it was closed
		err = context.Cause(ctx)
	}
	switch {
	case err == nil:
		return &webSocketConn{Conn: conn}, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, websocket.ErrBadHandshake) && answer != nil:
		return nil, fmt.Errorf("it answers %s and opens no WebSocket: want the path of MQTT over WebSocket, such as /mqtt", answer.Status)
	}
	return nil, err
}

// Read reads what messages carry.
func (c *webSocketConn) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	for {
		if c.message == nil {
			_, r, err := c.NextReader()
			if err != nil {
				return 0, err
			}
			c.message = r
		}
		n, err := c.message.Read(b)
		if errors.Is(err, io.EOF) {
			c.message, err = nil, nil
		}
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
	}
}

// Write sends one message.
func (c *webSocketConn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// SetDeadline bounds reads and writes.
func (c *webSocketConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
