package testkit

import (
	"context"
	"net"
	"sync"
)

// Pipes is a listener without a network: what [Pipes.Dial] returns is the other end of
// what Accept does. With it servers run on the fake time of testing/synctest.
type Pipes struct {
	conns chan net.Conn
	over  chan struct{}
	once  sync.Once
}

// NewPipes listens until Close.
func NewPipes() *Pipes { return &Pipes{conns: make(chan net.Conn), over: make(chan struct{})} }

// Dial connects. Its error is that of ctx, or [net.ErrClosed].
func (p *Pipes) Dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.over:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for the next connection. After Close it returns [net.ErrClosed].
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (p *Pipes) Close() error {
	p.once.Do(func() { close(p.over) })
	return nil
}

// Addr is that of every pipe.
func (p *Pipes) Addr() net.Addr { return pipesAddr{} }

type pipesAddr struct{}

func (pipesAddr) Network() string { return "pipe" }
func (pipesAddr) String() string  { return "pipe" }
