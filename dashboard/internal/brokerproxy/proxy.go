// Package brokerproxy joins browsers to a broker elsewhere, each by a connection of its
// own. While a browser is behind, newer pictures replace older ones.
package brokerproxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"camqtt/internal/wire"
)

// Options says which broker browsers are joined to. Dial is needed; the zero
// value of every other field is its default.
type Options struct {
	// Dial opens a connection to the broker, on which MQTT can begin at once.
	Dial func(context.Context) (net.Conn, error)
	// User and Password are given to the broker for browsers that bring no
	// account of their own; "" gives none. A user of the page then has the
	// rights of this account.
	User, Password string
	Base           wire.Base
	Log            *slog.Logger // nil: nothing is logged
	// Counts is added to, for /metrics; may be nil.
	Counts *Counts

	DialTimeout  time.Duration // default 10 s
	WriteTimeout time.Duration // a browser that takes no packet for so long is dropped; default 20 s
	PacketBytes  int           // largest packet from the broker; default 16 MiB
	QueueBytes   int           // packets other than pictures that wait for a browser; default 1 MiB
	QueueWait    time.Duration // how long the broker is held back when those are too many; default 2 s
}

// Counts counts what the proxy does. The zero value is ready for use.
type Counts struct {
	Open         atomic.Int64 // browsers joined to the broker now
	DialFailures atomic.Int64 // browsers for whom the broker could not be reached
	Replaced     atomic.Int64 // pictures that gave way to newer ones
	Packets      atomic.Int64 // MQTT packets sent to browsers
	Bytes        atomic.Int64 // of these packets
}

// New returns a function that joins browsers to a broker elsewhere, each by a
// connection of its own, so that the broker judges each browser by the credentials
// it gives. What browsers say is passed on as it is. What the broker says is sent
// one packet per message and in order; only pictures of QoS 0 give way to newer ones
// of their topic while a browser is behind. It understands MQTT 3.1, 3.1.1 and 5.
//
// The broker sees all browsers come from this machine. Where it trusts that without
// an account, the caller must decide who may connect.
func New(o Options) func(context.Context, net.Conn) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Counts == nil {
		o.Counts = &Counts{}
	}
	orDefault(&o.DialTimeout, 10*time.Second)
	orDefault(&o.WriteTimeout, 20*time.Second)
	orDefault(&o.PacketBytes, 16<<20)
	orDefault(&o.QueueBytes, 1<<20)
	orDefault(&o.QueueWait, 2*time.Second)
	return func(ctx context.Context, c net.Conn) error {
		if o.Dial == nil {
			_ = c.Close()
			return errors.New("join a browser to the broker: no way to dial it was given")
		}
		return (&pump{opts: &o, browser: c}).run(ctx)
	}
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// farewell is what a browser's connection may have to say why it is closed.
type farewell interface {
	CloseWith(code int, reason string)
}

// pump joins one browser to the broker.
type pump struct {
	opts    *Options
	browser net.Conn
	broker  net.Conn
	out     *outbox
	version atomic.Int32 // of the protocol, 0 until the browser has said it
}

// run returns when both connections are closed and all goroutines have ended.
func (p *pump) run(ctx context.Context) error {
	defer p.browser.Close()
	if err := p.dial(ctx); err != nil {
		p.opts.Counts.DialFailures.Add(1)
		p.sayWhy(websocket.CloseTryAgainLater, "the broker cannot be reached")
		return err
	}
	defer p.broker.Close()
	p.opts.Counts.Open.Add(1)
	defer p.opts.Counts.Open.Add(-1)
	p.out = newOutbox(p.opts.QueueBytes, p.opts.QueueWait, &p.opts.Counts.Replaced)

	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { // ends when ctx is done
		<-ctx.Done()
		_ = p.browser.Close()
		_ = p.broker.Close()
	})
	wg.Go(func() { // ends when the browser has gone or ctx is done
		cancel(p.inward())
	})
	var upstream error
	wg.Go(func() { // ends when the broker has gone or ctx is done
		upstream = p.outward(ctx)
		p.out.finish()
	})
	err := p.deliver(ctx)
	if err == nil && ctx.Err() == nil { // the broker has ended it, and all it said is delivered
		p.sayWhy(websocket.CloseGoingAway, "the broker closed the connection")
	}
	cancel(err)
	wg.Wait()
	return errors.Join(ordinary(context.Cause(ctx)), ordinary(upstream))
}

// ordinary leaves out what is no fault: either side may go.
func ordinary(err error) error {
	for _, usual := range []error{io.EOF, net.ErrClosed, io.ErrClosedPipe, context.Canceled} {
		if errors.Is(err, usual) {
			return nil
		}
	}
	return err
}

func (p *pump) dial(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.opts.DialTimeout, errors.New("no answer in time"))
	defer cancel()
	if p.broker, err = p.opts.Dial(ctx); err != nil {
		return fmt.Errorf("join a browser to the broker: %w", err)
	}
	return nil
}

func (p *pump) sayWhy(code int, reason string) {
	if f, ok := p.browser.(farewell); ok {
		f.CloseWith(code, reason)
	}
}

// inward passes on what the browser says.
func (p *pump) inward() error {
	var connect connectReader
	buf := make([]byte, 16<<10)
	for {
		n, err := p.browser.Read(buf)
		if n > 0 {
			pass := connect.add(buf[:n], p.opts.User, p.opts.Password)
			p.version.Store(int32(connect.version))
			if _, werr := p.broker.Write(pass); len(pass) > 0 && werr != nil {
				// What the broker said before it went, such as why, is still to be
				// delivered; that ends it.
				_ = p.broker.Close()
				_, _ = io.Copy(io.Discard, p.browser)
				return io.EOF
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return io.EOF
			}
			return fmt.Errorf("read from the browser: %w", err)
		}
	}
}

// outward puts what the broker says in line.
func (p *pump) outward(ctx context.Context) error {
	r := bufio.NewReaderSize(p.broker, 32<<10)
	for {
		packet, err := readPacket(r, p.opts.PacketBytes)
		if err != nil {
			return p.upstreamEnd(ctx, err)
		}
		s, kind, picture, err := inspect(packet, byte(p.version.Load()), p.opts.Base)
		switch {
		case err != nil:
			return p.upstreamEnd(ctx, err)
		case picture:
			p.out.putPicture(s, kind, packet)
		default:
			if err := p.out.put(ctx, packet); err != nil {
				return p.upstreamEnd(ctx, err)
			}
		}
	}
}

// upstreamEnd tells the browser about faults; what it is told is what it will show.
func (p *pump) upstreamEnd(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, errMalformed), errors.Is(err, errTooLarge):
		p.opts.Log.Warn("broker sent what cannot be passed on", "err", err)
		p.sayWhy(websocket.CloseProtocolError, err.Error())
	case errors.Is(err, errFull):
		p.sayWhy(websocket.CloseTryAgainLater, "the line is too slow")
		_ = p.browser.Close() // what waits would only make it later
	}
	return fmt.Errorf("read from the broker: %w", err)
}

// deliver sends what is in line, one packet per Write. It returns nil when nothing
// more comes.
func (p *pump) deliver(ctx context.Context) error {
	room, _ := p.browser.(interface{ Ready() error })
	for p.out.wait(ctx) {
		_ = p.browser.SetWriteDeadline(time.Now().Add(p.opts.WriteTimeout))
		if room != nil { // choose as late as possible: meanwhile newer pictures may come
			if err := room.Ready(); err != nil {
				return fmt.Errorf("send to the browser: %w", err)
			}
		}
		packet := p.out.take()
		if _, err := p.browser.Write(packet); err != nil {
			return fmt.Errorf("send to the browser: %w", err)
		}
		p.opts.Counts.Packets.Add(1)
		p.opts.Counts.Bytes.Add(int64(len(packet)))
	}
	return nil
}
