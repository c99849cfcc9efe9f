package dashboard

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"camqtt/internal/access"
)

const (
	loginFile = "login.html"
	loginPath = "/login"
	// maxForm bounds what visitors send that nobody knows yet, in bytes.
	maxForm = 8 << 10
	// stillsOnly is why an account gets no WebSocket to a broker elsewhere.
	stillsOnly = "before a broker elsewhere live pictures are for operators and admins of all cameras; others see stills"
)

// publicFiles are what the login page needs.
func publicFiles() []string {
	return []string{loginFile, "login.js", "safety.js", "app.css", "icon.svg", "manifest.webmanifest"}
}

// wantsPage reports whether a browser asks for something to show in its window.
func wantsPage(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// wantsJSON reports whether a script of our page asks, or a program that understands
// as much.
func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

// showLogin answers with the login page, or leads on who has logged in and who may do
// everything without.
func (d *Dashboard) showLogin(w http.ResponseWriter, r *http.Request) {
	if v, err := d.visit(r); err == nil && (v.session != nil || v.Role == access.Anyone) {
		d.leadTo(w, "./")
		return
	}
	d.page[loginFile].serve(w, r)
}

// leadTo sends a browser on. Addresses are relative: a proxy may have put a path
// before ours.
func (d *Dashboard) leadTo(w http.ResponseWriter, where string) {
	w.Header().Set("Location", where)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// logIn opens a session for whoever gives a right name and password, which may also be
// a token. Only what stands in the body counts: not where he comes from, nor what
// else his browser has sent along.
func (d *Dashboard) logIn(w http.ResponseWriter, r *http.Request) {
	if d.opts.Access == nil {
		d.leadTo(w, "./")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "the form with user and password cannot be read: want application/x-www-form-urlencoded of at most %d bytes", maxForm)
		return
	}
	device, keep := d.deviceOf(r)
	at := access.Attempt{User: r.PostForm.Get("user"), Secret: r.PostForm.Get("password"), From: d.proxies.client(r), Web: true, Device: device}
	if at.User == "" || at.Secret == "" {
		refuse(w, http.StatusUnauthorized, "a user name and a password are needed")
		return
	}
	p, err := d.opts.Access.Identify(r.Context(), at)
	switch {
	case err != nil:
		d.refuseVisitor(w, r, err)
		return
	case p.Name != "" && !p.Watches():
		refuse(w, http.StatusForbidden, "the account %s is a device's (%s): the page is for viewers, operators and admins", p.Name, p.Role)
		return
	}
	if old := d.session(r); old != nil {
		d.sessions.finish(old)
	}
	if p.Name != "" { // else there are no accounts, and none is needed
		http.SetCookie(w, d.cookie(r, d.sessions.begin(p)))
		http.SetCookie(w, keep)
		d.opts.Log.Info("logged in", "user", p.Name, "from", d.proxies.client(r).String())
	}
	d.sendBack(w, r, "./")
}

// logOut ends the session and whatever is open in it, at once.
func (d *Dashboard) logOut(w http.ResponseWriter, r *http.Request) {
	if x := d.session(r); x != nil {
		d.sessions.finish(x)
		d.opts.Log.Info("logged out", "user", x.who.Name, "from", d.proxies.client(r).String())
	}
	http.SetCookie(w, d.cookie(r, ""))
	d.sendBack(w, r, "login")
}

// sendBack ends what a form has asked for.
func (d *Dashboard) sendBack(w http.ResponseWriter, r *http.Request, where string) {
	w.Header().Set("Cache-Control", "no-store")
	if wantsJSON(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	d.leadTo(w, where)
}

// refuseVisitor answers who was not let in.
func (d *Dashboard) refuseVisitor(w http.ResponseWriter, r *http.Request, err error) {
	var slow *access.Slow
	switch {
	case errors.As(err, &slow):
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(slow.After.Seconds()))))
		refuse(w, http.StatusTooManyRequests, "%s", slow)
	case r.Context().Err() != nil: // nobody listens
		return
	case r.URL.Path == loginPath: // the form asks again, not a dialog of the browser's
		refuse(w, http.StatusUnauthorized, "%s", err)
	default:
		askWho(w, r, err)
	}
	if !errors.Is(err, access.ErrNone) {
		d.often.Warn("visitor refused", "from", d.proxies.client(r).String(), "why", err)
	}
}

// me is what the page shows and hides by.
type me struct {
	Known    bool   `json:"known"`    // false: log in first
	Name     string `json:"name"`     // "" without an account
	Role     string `json:"role"`     // "" when not known
	Session  bool   `json:"session"`  // by logging in, so that logging out is possible
	CanLogIn bool   `json:"canLogIn"` // there are accounts that may do more
	Command  bool   `json:"command"`  // may give cameras commands
	Operate  bool   `json:"operate"`  // may change their settings
	Enrol    bool   `json:"enrol"`    // may add cameras
	Users    bool   `json:"users"`    // may see and change accounts
	Refused  string `json:"refused"`  // why the WebSocket would refuse the page that asks; "" when it would not
}

// whoAmI tells the page whom it is shown to. Nobody learns from it what he does not
// know of himself.
func (d *Dashboard) whoAmI(w http.ResponseWriter, r *http.Request) {
	v, err := d.visit(r)
	var slow *access.Slow
	if errors.As(err, &slow) {
		d.refuseVisitor(w, r, err)
		return
	}
	out := me{CanLogIn: d.opts.Access != nil && (err != nil || v.Role == access.Reader)}
	if err == nil && v.Watches() {
		d.renewCookie(w, r, v.session)
		admin := v.Role == access.Admin
		out.Known, out.Name, out.Role, out.Session = true, v.Name, v.Role.String(), v.session != nil
		out.Command = v.Role != access.Reader
		out.Operate = out.Command && v.Role != access.Viewer
		out.Enrol, out.Users = admin && d.opts.Enrol != nil, admin && d.opts.Users != nil
	}
	// A page learns nothing from a WebSocket that is refused.
	if origin := r.URL.Query().Get("origin"); !d.origins.allows(r, origin) {
		out.Refused = d.origins.refusal(r, origin)
	} else if out.Known && d.opts.OwnRights && !v.operatesAll() {
		out.Refused = stillsOnly
	}
	d.answer(w, out)
}

// visit finds out who makes a request: by his session, or as [Dashboard.identify] does. A
// session opens the WebSocket for its own page only, not for those of dashboard.origins.
func (d *Dashboard) visit(r *http.Request) (visitor, error) {
	if d.opts.Access != nil && (r.URL.Path != mqttPath || ownPage(r)) {
		if x := d.session(r); x != nil {
			return visitor{Principal: x.who, known: true, session: x}, nil
		}
	}
	p, err := d.identify(r)
	return visitor{Principal: p, known: err == nil}, err
}

// ownPage reports whether a request comes from a page of this server. Behind a proxy that
// changes Host, Sec-Fetch-Site tells; browsers send it on secure origins only.
func ownPage(r *http.Request) bool {
	if u := parseOrigin(r.Header.Get("Origin")); u != nil && sameOrigin(u, r.Host) {
		return true
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin"
}

// oldTicket answers pages and programs of earlier versions, which asked for a ticket for
// each connection. The session is enough now: only the client identifier is of use.
func (d *Dashboard) oldTicket(w http.ResponseWriter, r *http.Request) {
	switch v := visitorOf(r); {
	case v.session == nil:
		refuse(w, http.StatusBadRequest, "a ticket is for who has logged in; you need none: connect to /mqtt as you came here")
		return
	case d.opts.OwnRights && !v.operatesAll():
		refuse(w, http.StatusForbidden, "%s", stillsOnly)
		return
	}
	d.answer(w, struct {
		User     string `json:"user"`
		Password string `json:"password"`
		Client   string `json:"client"`
		Expires  string `json:"expires"`
	}{Client: "web-" + rand.Text()[:18], Expires: time.Now().Add(time.Minute).UTC().Format(time.RFC3339)})
}

// answer sends JSON that nobody keeps.
func (d *Dashboard) answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		d.opts.Log.Error("answer not written", "err", err)
		refuse(w, http.StatusInternalServerError, "the answer cannot be written; the log says more")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n'))
}

// bound binds a request to the session or account of who makes it. false: that has
// ended just now.
func (d *Dashboard) bound(r *http.Request) (_ *http.Request, release func(), ok bool) {
	v := visitorOf(r)
	var ctx context.Context
	switch {
	case d.opts.Access == nil || !v.known:
		return r, func() {}, true
	case v.session != nil:
		ctx, release = d.sessions.hold(r.Context(), v.session)
		ok = v.session.ctx.Err() == nil
	default:
		ctx, release = d.opts.Access.Bind(r.Context(), v.Principal)
		ok = ctx.Err() == nil || r.Context().Err() != nil
	}
	return r.WithContext(ctx), release, ok
}
