package broker

import (
	"context"
	"io"
	"time"

	"camqtt/internal/mqtt"
)

// lingerTime is how long the broker reads on, and throws away what it reads, after it has
// ended a connection. The kernel answers unread bytes by a reset, and a client
// that is still writing would then never see why its connection has ended.
const lingerTime = 2 * time.Second

// explains marks a connection whose client is told why it ends. Over TLS an old client is
// told, once it is connected, only by the end of the connection.
func (c *conn) explains(why mqtt.Code) {
	told := c.version == 5 || !c.established.Load()
	_, encrypted := socket(c.raw)
	if !c.framed && why != mqtt.ServerShuttingDown && (told || !encrypted) {
		c.lingers.Store(true)
	}
}

// halfClose ends the sending half of a connection in place of closing it. false: the
// connection has to be closed.
func (c *conn) halfClose() bool {
	if !c.lingers.Load() {
		return false
	}
	half, plain := c.raw.(interface{ CloseWrite() error })
	_, encrypted := socket(c.raw)
	return encrypted || plain && half.CloseWrite() == nil
}

// linger waits until the client has closed a connection that was half closed, or for
// lingerTime, or until ctx is done. Then it closes the connection.
func (c *conn) linger(ctx context.Context) {
	if !c.lingers.Load() {
		return
	}
	_ = c.raw.SetReadDeadline(time.Now().Add(lingerTime))
	stop := context.AfterFunc(ctx, func() { _ = c.raw.SetReadDeadline(time.Unix(1, 0)) })
	_, _ = io.Copy(io.Discard, c.raw) // its end is all there is to know
	stop()
	_ = c.raw.Close()
}
