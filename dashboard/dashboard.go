package dashboard

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/ratelog"
)

// Dashboard serves the page and what belongs to it. Make one with [New].
type Dashboard struct {
	opts     Options
	proxies  proxies
	origins  originRule
	embed    embedding
	page     map[string]file
	handler  http.Handler
	public   map[string]bool // paths for which nobody is asked who he is
	cross    *http.CrossOriginProtection
	names    hosts
	space    access.Space
	metrics  *metrics
	captures *captures

	sessions *sessions

	sockets, streams, snaps *seats

	open  *connections
	often *ratelog.Logger // what visitors can cause
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
		opts: o, open: newConnections(o.Limits.Connections), sockets: newSeats(o.Limits.Sockets), streams: newSeats(o.Limits.Streams), snaps: newSeats(o.Limits.Snapshots),
	}
	d.often = ratelog.New(o.Log, time.Minute)
	d.captures = newCaptures(&d.busy, d.take)
	if err = d.parseSites(o); err != nil {
		return nil, err
	}
	if d.page, err = loadPage(webFiles, o.Base); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	if d.metrics, err = newMetrics(d); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	d.space = access.Space{Base: o.Base, Discovery: o.Discovery}
	d.sessions = newSessions(o)
	d.public = d.publicPaths()
	d.handler = d.guarded(d.mux())
	return d, nil
}

// parseSites reads who may reach the dashboard by the web, under which names and
// through which proxies.
func (d *Dashboard) parseSites(o Options) error {
	listed, err := parseOrigins(o.Origins)
	if err != nil {
		return err
	}
	if d.names, err = parseHosts(o.Hosts, listed); err != nil {
		return err
	}
	if d.proxies, err = parseProxies(o.TrustedProxies); err != nil {
		return err
	}
	if d.embed, err = parseEmbedding(o.Embed); err != nil {
		return err
	}
	d.origins = originRule{listed: listed, proxies: d.proxies, names: d.names}
	d.cross, err = listed.protection()
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
		ReadTimeout:       time.Minute, // no request has a body to speak of
		WriteTimeout:      time.Minute, // streams set their own
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConn,
		ConnState:         d.follow,
		ErrorLog:          log.New(errorLog{often: d.often, log: d.opts.Log}, "", 0),
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
	d.sessions.endAll()
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
		out, room := d.open.open(c, time.Now())
		if !room {
			d.often.Warn("connection refused, too many are open", "from", c.RemoteAddr().String())
		} else if out != nil {
			d.often.Warn("idle connection closed, too many are open", "from", out.RemoteAddr().String())
		}
		if out != nil {
			_ = out.Close()
		}
	case http.StateActive, http.StateIdle:
		d.open.serving(c, s == http.StateActive, time.Now())
	case http.StateClosed:
		d.gone(c)
	}
}

// gone counts a connection that is no more.
func (d *Dashboard) gone(c net.Conn) {
	d.open.closed(c)
	d.busy.Done()
}

// overLimit answers the request of a connection for which there was no room.
func (d *Dashboard) overLimit(w http.ResponseWriter, r *http.Request) bool {
	c, ok := r.Context().Value(connKey{}).(net.Conn)
	if !ok || !d.open.isRefused(c) {
		return false
	}
	w.Header().Set("Connection", "close")
	w.Header().Set("Retry-After", "10")
	refuse(w, http.StatusServiceUnavailable, "too many connections are open: at most %d, of one address a quarter", d.opts.Limits.Connections)
	return true
}

// route is a path and who may have it.
type route struct {
	pattern string
	need    need
	serve   http.HandlerFunc
}

// routes is the list of paths.
func (d *Dashboard) routes() []route {
	all := []route{
		{"GET /{$}", toWatch, d.page[indexFile].serve},
		{"GET " + mqttPath, toConnect, d.mqtt},
		{"GET /cam/{id}/snapshot.jpg", toCommand, d.snapshot},
		{"GET /cam/{id}/preview.jpg", toSee, d.preview},
		{"GET /cam/{id}/stream.mjpg", toCommand, d.stream},
		{"GET /api/cameras", toWatch, d.cameras},
		{"GET /healthz", nothing, func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusOK, "ok") }},
		{"GET /readyz", toWatch, d.readyz},
		{"GET " + loginPath, nothing, d.showLogin},
		{"POST " + loginPath, nothing, d.logIn},
		{"POST /logout", nothing, d.logOut},
		{"GET /api/me", nothing, d.whoAmI},
		{"POST /api/mqtt-ticket", toWatch, d.oldTicket},
		{"GET /metrics", toWatch, d.showMetrics},
	}
	if d.opts.Enrol != nil {
		all = append(all, route{"POST /api/enrol", toManage, d.invite})
	}
	if d.opts.Users != nil {
		all = append(all, route{"GET /api/users", toManage, d.listUsers},
			route{"POST /api/users", toManage, d.addUser}, route{"DELETE /api/users/{name}", toManage, d.removeUser})
	}
	for name, f := range d.page {
		n := toWatch
		if slices.Contains(publicFiles(), name) {
			n = nothing
		}
		all = append(all, route{"GET /" + name, n, f.serve})
	}
	return all
}

// public are the paths for which nobody is asked who he is.
func (d *Dashboard) publicPaths() map[string]bool {
	all := map[string]bool{}
	for _, r := range d.routes() {
		if _, path, _ := strings.Cut(r.pattern, " "); r.need == nothing {
			all[path] = true
		}
	}
	return all
}

// mux serves the routes, each to those who may have it. What is no path needs an
// account as well: which paths there are is nobody else's business.
func (d *Dashboard) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range d.routes() {
		mux.HandleFunc(r.pattern, d.permitted(r.need, r.serve))
	}
	return mux
}

func (d *Dashboard) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := d.opts.Disk(); err != nil {
		refuse(w, http.StatusServiceUnavailable, "%s", err)
		return
	}
	if !d.opts.Ready() {
		refuse(w, http.StatusServiceUnavailable, "not connected to the broker")
		return
	}
	refuse(w, http.StatusOK, "ok")
}

// guarded wraps what every request passes: headers, the rules about who may ask,
// counting, and the net under a handler that panics.
func (d *Dashboard) guarded(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.busy.Add(1)
		defer d.busy.Done()
		rec := &recorder{ResponseWriter: w}
		defer d.finish(rec, r)
		d.secure(w.Header(), r.URL.Path)
		switch {
		case d.overLimit(rec, r):
		case r.URL.Path == healthPath:
			mux.ServeHTTP(rec, r)
		case !d.guardHost(rec, r) || !d.guardSite(rec, r):
		case d.public[r.URL.Path]:
			mux.ServeHTTP(rec, r)
		default:
			if known, ok := d.identified(rec, r); ok {
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
		d.opts.Log.Error("request panicked", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
	switch {
	case p == nil:
	case rec.hijacked:
		rec.status = http.StatusInternalServerError
	case rec.status == 0:
		refuse(rec, http.StatusInternalServerError, "a fault in the program; its log says more")
	default:
		d.metrics.count(r, rec.status)
		panic(http.ErrAbortHandler) // half an answer is out: only cutting it off tells
	}
	d.metrics.count(r, rec.status)
}

// recorder notes what became of an answer.
type recorder struct {
	http.ResponseWriter
	status   int // 0: nothing was sent
	hijacked bool
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write sends part of a body.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Hijack notes that the connection is no longer HTTP's.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil {
		r.hijacked, r.status = true, http.StatusSwitchingProtocols
	}
	return c, rw, err
}

// Unwrap lets [http.ResponseController] reach what is beneath.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// seats is a number of places of which each visitor takes one.
type seats struct {
	free  atomic.Int64
	taken atomic.Int64
}

func newSeats(n int) *seats {
	s := &seats{}
	s.free.Store(int64(n))
	return s
}

// enter takes a place and returns how to give it back. false: there is none.
func (s *seats) enter() (leave func(), ok bool) {
	if s.free.Add(-1) < 0 {
		s.free.Add(1)
		return nil, false
	}
	s.taken.Add(1)
	return func() {
		s.taken.Add(-1)
		s.free.Add(1)
	}, true
}
