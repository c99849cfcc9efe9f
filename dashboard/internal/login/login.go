// Package login finds the user of each request: by a session, by credentials, or by the
// address. It has the handlers for logging in and out, and for what the page may show.
package login

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"camqtt/dashboard/internal/respond"
	"camqtt/dashboard/internal/session"
	"camqtt/dashboard/internal/webguard"
	"camqtt/internal/access"
	"camqtt/internal/ratelog"
)

// MaxForm bounds the form of a client that is not known yet, in bytes.
const MaxForm = 8 << 10

// StillsOnly is why an account gets no WebSocket to a broker elsewhere.
const StillsOnly = "before a broker elsewhere live pictures are for operators and admins of all cameras; others see stills"

// Access identifies users. [access.Accounts] does.
type Access interface {
	// Identify returns the user of an attempt. Its errors are those of
	// [access.Accounts.Identify].
	Identify(ctx context.Context, at access.Attempt) (access.Principal, error)
	session.Accounts
}

// Options are the parts that [Handler] uses.
type Options struct {
	Access    Access // nil lets everybody do everything
	Sessions  *session.Store
	Guard     *webguard.Guard
	Page      http.HandlerFunc // the login page
	OwnRights bool             // WebSockets have the rights of an account at a broker elsewhere
	Enrol     bool             // admins can add cameras
	Users     bool             // admins can change accounts
	Log       *slog.Logger
	Limited   *ratelog.Logger // for lines that clients can cause
}

// Handler has the paths for logging in and out. Make one with [New].
type Handler struct{ o Options }

// New returns a handler.
func New(o Options) *Handler { return &Handler{o: o} }

// ShowLogin answers with the login page. It leads on a user who has logged in, or who may
// do everything without.
func (h *Handler) ShowLogin(w http.ResponseWriter, r *http.Request) {
	if u, err := h.User(r); err == nil && (u.Session != nil || u.Role == access.Anyone) {
		redirect(w, "./")
		return
	}
	h.o.Page(w, r)
}

// redirect sends a browser on. Addresses are relative: a proxy may add a path.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// LogIn opens a session for a right name and password, which may also be a token. Only the
// form counts: neither the address nor other credentials of the browser.
func (h *Handler) LogIn(w http.ResponseWriter, r *http.Request) {
	if h.o.Access == nil {
		redirect(w, "./")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, MaxForm)
	if err := r.ParseForm(); err != nil {
		respond.Text(w, http.StatusBadRequest, "the form with user and password cannot be read: "+
			"want application/x-www-form-urlencoded of at most %d bytes", MaxForm)
		return
	}
	cookies := h.cookies(r)
	device, keep := cookies.Device(r)
	at := access.Attempt{
		User: r.PostForm.Get("user"), Secret: r.PostForm.Get("password"),
		From: h.o.Guard.Client(r), Web: true, Device: device,
	}
	if at.User == "" || at.Secret == "" {
		respond.Text(w, http.StatusUnauthorized, "a user name and a password are needed")
		return
	}
	p, err := h.o.Access.Identify(r.Context(), at)
	switch {
	case err != nil:
		h.refuse(w, r, err)
		return
	case p.Name != "" && !p.Watches():
		respond.Text(w, http.StatusForbidden,
			"the account %s is a device's (%s): the page is for viewers, operators and admins", p.Name, p.Role)
		return
	}
	if old := h.session(r); old != nil {
		h.o.Sessions.Finish(old)
	}
	if p.Name != "" { // otherwise there are no accounts, and none is needed
		http.SetCookie(w, cookies.Session(h.o.Sessions.Begin(p)))
		http.SetCookie(w, keep)
		h.o.Log.Info("logged in", "user", p.Name, "from", at.From.String())
	}
	done(w, r, "./")
}

// LogOut ends the session and all that is open in it, at once.
func (h *Handler) LogOut(w http.ResponseWriter, r *http.Request) {
	if x := h.session(r); x != nil {
		h.o.Sessions.Finish(x)
		h.o.Log.Info("logged out", "user", x.Principal().Name, "from", h.o.Guard.Client(r).String())
	}
	http.SetCookie(w, h.cookies(r).Session(""))
	done(w, r, "login")
}

// done answers a form: a script with a status, a browser with another page.
func done(w http.ResponseWriter, r *http.Request, to string) {
	if wantsJSON(r) {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	redirect(w, to)
}

// refuse answers a request whose user was not identified.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var slow *access.Slow
	switch {
	case errors.As(err, &slow):
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(slow.After.Seconds()))))
		respond.Text(w, http.StatusTooManyRequests, "%s", slow)
	case r.Context().Err() != nil: // the client has gone
		return
	case r.URL.Path == webguard.LoginPath: // the form asks again, not a dialog of the browser
		respond.Text(w, http.StatusUnauthorized, "%s", err)
	default:
		AskForAccount(w, r, err)
	}
	if !errors.Is(err, access.ErrNone) {
		h.o.Limited.Warn("login refused", "from", h.o.Guard.Client(r).String(), "why", err)
	}
}

// me is what the page shows and hides by.
type me struct {
	Known    bool   `json:"known"`    // false: log in first
	Name     string `json:"name"`     // "" without an account
	Role     string `json:"role"`     // "" when not known
	Session  bool   `json:"session"`  // logged in, so that logging out is possible
	CanLogIn bool   `json:"canLogIn"` // there are accounts that may do more
	Command  bool   `json:"command"`  // may give cameras commands
	Operate  bool   `json:"operate"`  // may change their settings
	Enrol    bool   `json:"enrol"`    // may add cameras
	Users    bool   `json:"users"`    // may see and change accounts
	Refused  string `json:"refused"`  // why the WebSocket would refuse the page that asks; "" when it would not
}

// WhoAmI tells the page about its user. It tells no user anything about others.
func (h *Handler) WhoAmI(w http.ResponseWriter, r *http.Request) {
	u, err := h.User(r)
	var slow *access.Slow
	if errors.As(err, &slow) {
		h.refuse(w, r, err)
		return
	}
	out := me{CanLogIn: h.o.Access != nil && (err != nil || u.Role == access.Reader)}
	if err == nil && u.Watches() {
		h.renewCookie(w, r, u.Session)
		admin := u.Role == access.Admin
		out.Known, out.Name, out.Role, out.Session = true, u.Name, u.Role.String(), u.Session != nil
		out.Command = u.Role != access.Reader
		out.Operate = out.Command && u.Role != access.Viewer
		out.Enrol, out.Users = admin && h.o.Enrol, admin && h.o.Users
	}
	// A page learns nothing from a WebSocket that is refused.
	if origin := r.URL.Query().Get("origin"); !h.o.Guard.AllowsOrigin(r, origin) {
		out.Refused = h.o.Guard.Refusal(r, origin)
	} else if out.Known && h.o.OwnRights && !u.OperatesAll() {
		out.Refused = StillsOnly
	}
	respond.JSON(w, out)
}

// OldTicket answers pages and programs of earlier versions, which asked for a ticket for
// each connection. The session is enough now: only the client identifier is of use.
func (h *Handler) OldTicket(w http.ResponseWriter, r *http.Request) {
	switch u := UserOf(r); {
	case u.Session == nil:
		respond.Text(w, http.StatusBadRequest,
			"a ticket is for who has logged in; you need none: connect to /mqtt as you came here")
		return
	case h.o.OwnRights && !u.OperatesAll():
		respond.Text(w, http.StatusForbidden, "%s", StillsOnly)
		return
	}
	respond.JSON(w, struct {
		User     string `json:"user"`
		Password string `json:"password"`
		Client   string `json:"client"`
		Expires  string `json:"expires"`
	}{Client: "web-" + rand.Text()[:18], Expires: time.Now().Add(time.Minute).UTC().Format(time.RFC3339)})
}
