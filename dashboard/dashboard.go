package dashboard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"camqtt/dashboard/internal/connlimit"
	"camqtt/dashboard/internal/login"
	"camqtt/dashboard/internal/respond"
	"camqtt/dashboard/internal/session"
	"camqtt/dashboard/internal/webguard"
	"camqtt/internal/access"
	"camqtt/internal/ratelog"
)

// Dashboard serves the page and what belongs to it. Make one with [New].
type Dashboard struct {
	opts     Options
	guard    *webguard.Guard
	sessions *session.Store
	login    *login.Handler
	page     page
	cameras  *cameraList
	pictures *pictures
	streams  *streams
	sockets  *websockets
	accounts *accounts
	metrics  *metrics
	routes   []route
	handler  http.Handler

	open    *connlimit.Limiter
	limited *ratelog.Logger // for lines that clients can cause
	// busy counts open connections, requests being answered and captures under way.
	busy sync.WaitGroup
}

// New checks the options and returns a dashboard that does not serve yet.
func New(o Options) (*Dashboard, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	d := &Dashboard{
		opts: o, open: connlimit.New(o.Limits.Connections), limited: ratelog.New(o.Log, time.Minute),
		accounts: &accounts{users: o.Users, enrol: o.Enrol, log: o.Log},
	}
	d.guard, err = webguard.New(webguard.Options{
		Origins: o.Origins, Embed: o.Embed, TrustedProxies: o.TrustedProxies, Hosts: o.Hosts, Named: o.Named,
	})
	if err != nil {
		return nil, err
	}
	if d.page, err = loadPage(webFiles, o.Base); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	d.sessions = session.New(session.Options{
		Accounts: o.Access, Key: o.SessionKey, EndedFile: o.EndedSessions, Log: o.Log,
	})
	d.login = login.New(login.Options{
		Access: o.Access, Sessions: d.sessions, Guard: d.guard, Page: d.page[loginFile].serve,
		OwnRights: o.OwnRights, Enrol: o.Enrol != nil, Users: o.Users != nil, Log: o.Log, Limited: d.limited,
	})
	if err = d.makeViews(); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	d.routes = d.makeRoutes()
	d.handler = d.guarded()
	return d, nil
}

// makeViews makes what shows cameras and pictures.
func (d *Dashboard) makeViews() (err error) {
	o := d.opts
	d.cameras = &cameraList{
		viewer: o.Viewer, base: o.Base, space: access.Space{Base: o.Base, Discovery: o.Discovery}, ready: o.Ready,
	}
	d.sockets = &websockets{
		attach: o.Attach, guard: d.guard, open: newSemaphore(o.Limits.Sockets), limit: o.Limits.Sockets,
		messageBytes: o.Limits.MessageBytes, ping: o.Limits.Ping, log: o.Log, limited: d.limited,
	}
	d.pictures = newPictures(o, d.cameras, d.limited, &d.busy)
	d.streams = &streams{pictures: d.pictures, open: newSemaphore(o.Limits.Streams), log: o.Log, client: d.guard.Client}
	d.metrics, err = newMetrics(d)
	d.streams.metrics = d.metrics
	return err
}

// Handler returns what Serve serves, for servers of other kinds. Its WebSockets end
// with the request's context, as those of Serve do.
func (d *Dashboard) Handler() http.Handler { return d.handler }

// Serve answers until ctx is done, then ends every request, stream and WebSocket at
// once and returns when all of them have ended.
func (d *Dashboard) Serve(ctx context.Context) error {
	if d.opts.Listener == nil {
		return errors.New("dashboard: Listener is needed")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	srv := &http.Server{
		Handler:           d.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute, // requests have small bodies
		WriteTimeout:      time.Minute, // streams set their own
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConn,
		ConnState:         d.follow,
		ErrorLog:          log.New(errorLog{limited: d.limited, log: d.opts.Log}, "", 0),
	}
	srv.TLSNextProto = d.protocols()
	served := make(chan error, 1)
	go func() { // ends when srv is closed; Serve waits
		served <- srv.Serve(d.watched(d.opts.Listener))
	}()
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
		err = fmt.Errorf("serve HTTP on %s: %w", d.opts.Listener.Addr(), err)
	}
	cancel()
	_ = srv.Close() // closes the listener; what else it says is of no use
	if err == nil {
		<-served
	}
	d.busy.Wait()
	d.sessions.EndAll()
	return err
}

// protocols are those beside HTTP, in the form that its server takes.
func (d *Dashboard) protocols() map[string]func(*http.Server, *tls.Conn, http.Handler) {
	all := map[string]func(*http.Server, *tls.Conn, http.Handler){}
	for name, serve := range d.opts.Protocols {
		all[name] = func(_ *http.Server, c *tls.Conn, _ http.Handler) { serve(c) }
	}
	return all
}

type connKey struct{}

// withConn lets a stream find its connection, to wait until that takes bytes.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// idleTime is how long a connection without a request is kept open: longer than the pause
// between requests of programs that poll pictures.
const idleTime = 20 * time.Second

// follow counts connections and ends those for which there is no room. The one of a
// WebSocket counts until its request has ended.
func (d *Dashboard) follow(c net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		d.busy.Add(1)
		out, room := d.open.Open(c, time.Now())
		if !room {
			d.limited.Warn("connection refused, too many are open", "from", c.RemoteAddr().String())
		} else if out != nil {
			d.limited.Warn("idle connection closed, too many are open", "from", out.RemoteAddr().String())
		}
		if out != nil {
			_ = out.Close()
		}
	case http.StateActive, http.StateIdle:
		d.open.SetServing(c, s == http.StateActive, time.Now())
	case http.StateClosed:
		d.gone(c)
	}
}

// gone counts a closed connection.
func (d *Dashboard) gone(c net.Conn) {
	d.open.Close(c)
	d.busy.Done()
}

// overLimit answers the request of a connection for which there was no room.
func (d *Dashboard) overLimit(w http.ResponseWriter, r *http.Request) bool {
	c, ok := r.Context().Value(connKey{}).(net.Conn)
	if !ok || !d.open.IsRefused(c) {
		return false
	}
	w.Header().Set("Connection", "close")
	w.Header().Set("Retry-After", "10")
	respond.Text(w, http.StatusServiceUnavailable,
		"too many connections are open: at most %d, of one address a quarter", d.opts.Limits.Connections)
	return true
}

// guarded wraps what every request passes: headers, the rules of the web guard, the user,
// counting, and recovery from a panic.
func (d *Dashboard) guarded() http.Handler {
	mux, public := d.mux(), d.publicPaths()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.busy.Add(1)
		defer d.busy.Done()
		rec := &recorder{ResponseWriter: w}
		defer d.finish(rec, r)
		d.guard.SetHeaders(w.Header(), r.URL.Path)
		switch {
		case d.overLimit(rec, r):
		case r.URL.Path == webguard.HealthPath:
			mux.ServeHTTP(rec, r)
		case !d.guard.Check(rec, r):
		case public[r.URL.Path]:
			mux.ServeHTTP(rec, r)
		default:
			if known, ok := d.login.Identify(rec, r); ok {
				defer func() { r.Pattern = known.Pattern }() // for counting
				mux.ServeHTTP(rec, known)
			}
		}
	})
}

// finish ends a request. A panic costs this request and no other.
func (d *Dashboard) finish(rec *recorder, r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(net.Conn); ok && rec.hijacked { // follow has counted it
		d.gone(c)
	}
	p := recover()
	if p != nil && p != http.ErrAbortHandler {
		d.opts.Log.Error("request panicked",
			"path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
	switch {
	case p == nil:
	case rec.hijacked:
		rec.status = http.StatusInternalServerError
	case rec.status == 0:
		respond.Text(rec, http.StatusInternalServerError, "a fault in the program; its log says more")
	default:
		d.metrics.count(r, rec.status)
		panic(http.ErrAbortHandler) // half an answer is out: only cutting it off tells
	}
	d.metrics.count(r, rec.status)
}
