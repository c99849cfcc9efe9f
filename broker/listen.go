package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"camqtt/internal/access"
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
			b.log.trouble("connection refused, too many are open on one listener", "listener", l.Addr().String(), "remote", c.RemoteAddr().String())
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
		b.log.trouble("accept failed, trying again", "listener", l.Addr().String(), "err", err)
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
	admitted, err := b.admit(from)
	if err != nil {
		_ = raw.Close()
		b.count.refused.Add(1)
		return err
	}
	defer b.dismiss(admitted)
	c := newConn(b, raw)
	if !b.enlist(c) {
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
	c.in.giveBack(c)
	b.leave(c)
	b.speak(c)
	if c.established.Load() { // only now has it gone: its will has been said
		b.count.clients.Add(-1)
	}
	close(c.over)
	c.dump.senders.Wait()
	c.send.Wait()
	c.linger(ctx)
	if !stop() {
		<-kicked
	}
	b.strike(c)
	return b.ending(c, err)
}

// establish serves a connection until it ends.
func (b *Broker) establish(c *conn) (err error) {
	defer func() {
		if r := recover(); r != nil {
			b.count.recovered.Add(1)
			b.log.client(c, "panic while handling packet, connection closed", "why", fmt.Sprint(r))
			b.log.out.Debug("panic while handling packet", "stack", string(debug.Stack()))
			err = fmt.Errorf("serve client %q: panic: %v", c.id, r)
		}
	}()
	if other, err := c.other(); other || err != nil {
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
		b.log.client(c, "client fell silent, its connection is closed")
		return nil
	}
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) {
		err = errors.New("no TLS was spoken to a TLS port: use mqtts://, or the port of broker.listen")
	}
	b.log.client(c, "connection ended", "err", err)
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

// admission is as what a connection was counted.
type admission struct {
	inside bool       // a part of this program, which always finds room
	key    netip.Addr // address by which it is counted; invalid: by none
}

// admit counts a connection against the caps before anything is spent on it.
func (b *Broker) admit(from net.Addr) (admission, error) {
	ip, counted := access.IP(from)
	a := admission{inside: from == nil}
	if counted && !ip.IsLoopback() {
		a.key = access.Household(ip)
	}
	full := b.full(a) && !b.evictPending()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closing:
		return a, ErrClosed
	case full:
		b.log.trouble("connection refused, too many are open", "open", b.open, "remote", from.String())
		return a, fmt.Errorf("refuse connection: %d are open", b.open)
	case a.key.IsValid() && b.perAddress[a.key] >= b.limits.PerAddress:
		b.log.trouble("connection refused, too many from one address", "remote", a.key.String())
		return a, fmt.Errorf("refuse connection: %d are open from %s", b.perAddress[a.key], a.key)
	}
	if !a.inside {
		b.open++
	}
	if a.key.IsValid() {
		b.perAddress[a.key]++
	}
	b.count.accepted.Add(1)
	return a, nil
}

// full reports whether there is room only if another connection is ended: all are open,
// and the address may have more.
func (b *Broker) full(a admission) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !a.inside && b.open >= b.limits.Connections && b.perAddress[a.key] < b.limits.PerAddress
}

// dismiss gives back what admit has counted.
func (b *Broker) dismiss(a admission) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !a.inside {
		b.open--
	}
	if !a.key.IsValid() {
		return
	}
	if b.perAddress[a.key]--; b.perAddress[a.key] == 0 {
		delete(b.perAddress, a.key)
	}
}

// enlist makes a connection one that shutdown ends. false: shutdown has begun.
func (b *Broker) enlist(c *conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return false
	}
	b.conns[c] = struct{}{}
	b.clients.Add(1)
	return true
}

func (b *Broker) strike(c *conn) {
	b.mu.Lock()
	delete(b.conns, c)
	b.mu.Unlock()
	b.clients.Done()
}

func (b *Broker) connections() []*conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]*conn, 0, len(b.conns))
	for c := range b.conns {
		out = append(out, c)
	}
	return out
}
