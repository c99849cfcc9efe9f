package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"camqtt/internal/mqtt"
)

// accept takes connections until ctx is done. An error of Accept, such as running out
// of descriptors, makes it pause, never end.
func (b *Broker) accept(ctx context.Context, l net.Listener) error {
	var pause time.Duration
	var open atomic.Int64 // of this listener's connections
	for {
		c, err := l.Accept()
		switch {
		case err == nil && b.limits.PerListener < b.limits.Connections && open.Load() >= int64(b.limits.PerListener):
			b.log.warn("connection refused, too many are open on one listener", "listener", l.Addr().String(), "remote", c.RemoteAddr().String())
			b.count.refused.Add(1)
			_ = c.Close()
			continue
		case err == nil:
			pause = 0
			open.Add(1)
			b.serving.Go(func() { // ends with the connection, which shutdown ends; Serve waits
				defer open.Add(-1)
				_ = b.serve(ctx, c, c.RemoteAddr())
			})
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		b.log.warn("accept failed, trying again", "listener", l.Addr().String(), "err", err)
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// guest gives the address that counts for the caps of a connection given to Attach;
// nil for one inside this process.
func (b *Broker) guest(c net.Conn) net.Addr {
	a := c.RemoteAddr()
	if a != nil && a.Network() == "pipe" {
		return nil
	}
	return a
}

// serve serves one connection until it has ended in every respect. A panic while a packet
// is handled costs this connection only.
func (b *Broker) serve(ctx context.Context, raw net.Conn, from net.Addr) error {
	admitted, err := b.conns.admit(from)
	if err != nil {
		_ = raw.Close()
		b.count.refused.Add(1)
		return err
	}
	defer b.conns.dismiss(admitted)
	c := newConn(b, raw)
	if !b.conns.add(c) {
		c.kick(mqtt.ServerShuttingDown)
		return ErrClosed
	}
	kicked := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(kicked)
		c.kick(mqtt.ServerShuttingDown)
	})
	err = b.establish(c)
	c.close()
	c.in.releaseReservation()
	b.sessions.leave(c)
	b.wills.connectionEnded(c)
	if c.established.Load() { // only now has it gone: its will has been said
		b.count.clients.Add(-1)
	}
	close(c.over)
	c.replay.senders.Wait()
	c.send.Wait()
	c.linger(ctx)
	if !stop() {
		<-kicked
	}
	b.conns.remove(c)
	return b.ending(c, err)
}

// establish serves a connection until it ends.
func (b *Broker) establish(c *conn) (err error) {
	defer func() {
		if r := recover(); r != nil {
			b.count.recovered.Add(1)
			b.log.warnClient(c, "panic while handling packet, connection closed", "why", fmt.Sprint(r))
			b.log.out.Debug("panic while handling packet", "stack", string(debug.Stack()))
			err = fmt.Errorf("serve client %q: panic: %v", c.id, r)
		}
	}()
	if other, err := serveOther(c); other || err != nil {
		return err
	}
	err = c.run()
	if wentAway(err) { // commands that it sent before are delivered
		c.commands.finish()
	}
	return err
}

// ending tells ordinary ends from others and counts and logs the latter.
func (b *Broker) ending(c *conn, err error) error {
	if c.session == nil && err != nil {
		b.count.refused.Add(1)
	}
	switch {
	case err == nil, c.kicked.Load() != nil, wentAway(err):
		return nil
	case errors.Is(err, errRefused): // logged with its reason
		return fmt.Errorf("serve client %q: %w", c.id, err)
	case c.session == nil && errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("no CONNECT within %s: %w", b.limits.ConnectTime, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.log.warnClient(c, "client fell silent, its connection is closed")
		return nil
	}
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) {
		err = errors.New("no TLS was spoken to a TLS port: use mqtts://, or the port of broker.listen")
	}
	b.log.warnClient(c, "connection ended", "err", err)
	return fmt.Errorf("serve client %q: %w", c.id, err)
}

// wentAway reports whether a connection ended as connections do.
func wentAway(err error) bool {
	for _, ordinary := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, errDone, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, ordinary) {
			return true
		}
	}
	return false
}

// Attach serves one client on a connection that the caller accepted: one end of
// a net.Pipe, or a WebSocket adapter that implements [Framed]. It returns when the
// client has gone, ctx is done or Serve ends, and has then closed c; a client that
// goes away in any ordinary manner is no error. A client on a pipe is part of this
// process and may do everything; any other is judged by its remote address. Called
// before Serve it waits for it; after Serve it returns [ErrClosed].
func (b *Broker) Attach(ctx context.Context, c net.Conn) error {
	select {
	case <-b.up:
	case <-b.gone:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		_ = c.Close()
		return err
	}
	return b.serve(ctx, c, b.guest(c))
}

// serveOther serves a protocol that is not MQTT, if the client has asked for one. The
// deadlines of a new connection bound the handshake.
func serveOther(c *conn) (served bool, err error) {
	t, ok := c.line.(*tls.Conn)
	if !ok || c.framed || len(c.b.protocols) == 0 {
		return false, nil
	}
	if err := t.Handshake(); err != nil {
		return false, err
	}
	serve := c.b.protocols[t.ConnectionState().NegotiatedProtocol]
	if serve == nil {
		return false, nil
	}
	serve(t)
	return true, nil
}
