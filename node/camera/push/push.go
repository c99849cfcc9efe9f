// Package push takes in pictures that boards send by themselves: over HTTP, as a
// form or as a bare JPEG, and one JPEG to a TCP connection. It owns the two ports,
// who may send for which camera, and the limits on what strangers can cost. It
// never asks a board for anything, never keeps a picture it has handed on, and
// never writes a token into a log or an answer.
package push

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Camera is one whose pictures are taken in. It needs a Token or From; with both,
// both are asked for.
type Camera struct {
	// ID is how a board says which camera it is: /push/<id>, or cam/<id> over TCP.
	ID string
	// Token is what a board must know, 8 to 128 of A-Z a-z 0-9 . _ ~ -; "" is none.
	Token string
	// From are the addresses that a board may send from; none is all.
	From []netip.Prefix
	// Deliver gets each picture, exactly one whole JPEG that is the receiver's from
	// then on, with the time at which it began to come in. It returns when it is
	// known what becomes of the picture, or ctx is done. Nil means that the picture
	// is taken; an error is one of [camera.Inbox.Deliver].
	Deliver func(ctx context.Context, jpeg []byte, at time.Time) error
}

// Options says what a Server is made of. Cameras, Log and one of the listeners are
// needed.
type Options struct {
	HTTP    net.Listener // for POST and PUT; nil is none
	TLS     *tls.Config  // makes HTTP speak https; nil is plain
	TCP     net.Listener // for one JPEG to a connection; nil is none
	Cameras []Camera
	Log     *slog.Logger

	// MaxBytes is the largest picture taken, in bytes; 0 is 1 MiB.
	MaxBytes int
	// Connections is how many pictures may come in at once on both ports; 0 is 64.
	// Four times as many connections may be open whose board has not yet said which
	// camera it is.
	Connections int
	// PerAddress is how many of those one IPv4 address or IPv6 /64 may have; 0 is 64.
	PerAddress int
	// Silence is how long a request may pause, how long its head may take, and how
	// long a whole TCP connection may; 0 is 5 s.
	Silence time.Duration
	// Longest is how long a whole HTTP request may take; 0 is 20 s.
	Longest time.Duration
}

const (
	defaultMax         = 1 << 20
	defaultConnections = 64
	defaultPerAddress  = 64
	defaultSilence     = 5 * time.Second
	defaultLongest     = 20 * time.Second

	// What a board may send of one camera's pictures, per second and at once. More
	// is no camera but a fault, and each costs a walk over its bytes.
	pictureRate, pictureBurst = 30, 60

	leastToken, mostToken = 8, 128
)

// Server takes pictures in. Make one with [New].
type Server struct {
	opts     Options
	gate     *gate
	conns    *connections // of the HTTP port
	tcpConns *connections
	refusals *refusals
	http     *http.Server
}

// New checks the options. The listeners are the server's from then on.
func New(o Options) (*Server, error) {
	if o.Log == nil || len(o.Cameras) == 0 || o.HTTP == nil && o.TCP == nil {
		return nil, errors.New("push: Cameras, Log and a listener are needed")
	}
	o.MaxBytes = cmpOr(o.MaxBytes, defaultMax)
	o.Connections = cmpOr(o.Connections, defaultConnections)
	o.PerAddress = cmpOr(o.PerAddress, defaultPerAddress)
	o.Silence = cmpOr(o.Silence, defaultSilence)
	o.Longest = cmpOr(o.Longest, defaultLongest)
	g, err := newGate(o.Cameras, o.Connections)
	if err != nil {
		return nil, err
	}
	s := &Server{opts: o, gate: g, refusals: newRefusals()}
	s.conns = newConnections(4*o.Connections, o.PerAddress, s.evict)
	s.tcpConns = newConnections(4*o.Connections, o.PerAddress, s.evictTCP)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ConnContext:       withConn,
		ReadHeaderTimeout: o.Silence, // of the TLS handshake too
		ReadTimeout:       o.Longest,
		WriteTimeout:      o.Longest + o.Silence,
		IdleTimeout:       3 * o.Silence,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no board speaks HTTP/2
	}
	return s, nil
}

// cmpOr gives what is not above 0 its default.
func cmpOr[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Refused is how many pictures were refused so far, by camera and reason.
func (s *Server) Refused() []Refused { return s.refusals.list() }

// Serve takes pictures in until ctx is done or a port fails. It closes the
// listeners, and can be called once.
func (s *Server) Serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	failed := make(chan error, 2)
	part := func(name string, serve func() error) {
		wg.Go(func() { // ends when its listener is closed, below; Serve waits
			if err := serve(); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("push: take pictures over %s: %w", name, err)
				stop()
			}
		})
	}
	if l := s.opts.HTTP; l != nil {
		limited := net.Listener(&listener{l, s.conns, s.tlsOnPlainPort})
		if s.opts.TLS != nil {
			limited = tls.NewListener(&listener{l, s.conns, nil}, s.opts.TLS)
		}
		part("HTTP", func() error { return s.http.Serve(limited) })
	}
	if l := s.opts.TCP; l != nil {
		part("TCP", func() error { return s.serveTCP(ctx, &listener{l, s.tcpConns, s.tlsOnPlainPort}) })
	}
	<-ctx.Done()
	s.shut()
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// goodbye is how long pictures that are coming in may take when the server stops.
const goodbye = 500 * time.Millisecond

func (s *Server) shut() {
	if s.opts.TCP != nil {
		_ = s.opts.TCP.Close() // closed is closed
	}
	within, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	if s.http.Shutdown(within) != nil {
		_ = s.http.Close() // the listener's error is Serve's
	}
	if s.opts.HTTP != nil {
		_ = s.opts.HTTP.Close()
	}
}
