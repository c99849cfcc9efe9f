package login

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"camqtt/dashboard/internal/respond"
	"camqtt/dashboard/internal/session"
	"camqtt/dashboard/internal/webguard"
	"camqtt/internal/access"
)

// User is the user of a request.
type User struct {
	access.Principal
	Known   bool             // false only on paths that need no account, or where the broker asks for one
	Session *session.Session // nil: credentials come with every request
}

type userKey struct{}

// UserOf returns the user of a request that [Handler.Identify] has passed.
func UserOf(r *http.Request) User {
	u, _ := r.Context().Value(userKey{}).(User)
	return u
}

// OperatesAll reports whether the user may see and set every camera.
func (u User) OperatesAll() bool {
	return u.Known && u.Everything() && u.Role != access.Viewer && u.Role != access.Reader
}

// Identify finds the user of a request and stores it in the request's context. Otherwise
// it has answered. An unknown user passes on the path where the broker asks for an account.
func (h *Handler) Identify(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	u, err := h.User(r)
	if err == nil || errors.Is(err, access.ErrNone) && r.URL.Path == webguard.MQTTPath {
		if r.URL.Path != webguard.MQTTPath { // the answer to an upgrade carries no cookie
			h.renewCookie(w, r, u.Session)
		}
		return r.WithContext(context.WithValue(r.Context(), userKey{}, u)), true
	}
	h.refuse(w, r, err)
	return nil, false
}

// User finds the user of a request: by the session, by credentials, or by the address. A
// session opens the WebSocket for its own page only, not for pages of dashboard.origins.
func (h *Handler) User(r *http.Request) (User, error) {
	if h.o.Access == nil {
		return User{Principal: access.Principal{Role: access.Anyone}, Known: true}, nil
	}
	if r.URL.Path != webguard.MQTTPath || h.o.Guard.OwnPage(r) {
		if x := h.session(r); x != nil {
			return User{Principal: x.Principal(), Known: true, Session: x}, nil
		}
	}
	p, err := h.o.Access.Identify(r.Context(), h.attempt(r))
	return User{Principal: p, Known: err == nil}, err
}

// attempt reads credentials: a user with a password or token, or a token alone, in the
// header or, for players that take only a URL, as ?token=.
func (h *Handler) attempt(r *http.Request) access.Attempt {
	at := access.Attempt{From: h.o.Guard.Client(r), Web: true}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if user, password, ok := r.BasicAuth(); ok {
		at.User, at.Secret = user, password
	} else if strings.EqualFold(scheme, "Bearer") {
		at.Secret = strings.TrimSpace(token)
	} else {
		at.Secret = r.URL.Query().Get("token")
	}
	return at
}

// Bind binds a request to the session or account of its user. ok is false when that has
// just ended.
func (h *Handler) Bind(r *http.Request) (_ *http.Request, release func(), ok bool) {
	u := UserOf(r)
	var ctx context.Context
	switch {
	case h.o.Access == nil || !u.Known:
		return r, func() {}, true
	case u.Session != nil:
		ctx, release = h.o.Sessions.Hold(r.Context(), u.Session)
		ok = u.Session.Context().Err() == nil
	default:
		ctx, release = h.o.Access.Bind(r.Context(), u.Principal)
		ok = ctx.Err() == nil || r.Context().Err() != nil
	}
	return r.WithContext(ctx), release, ok
}

// AskForAccount answers that an account is needed. Browsers are led to the login page.
// Programs are told what to send. Scripts of the page get no header that makes a browser
// open its own dialog for passwords.
func AskForAccount(w http.ResponseWriter, r *http.Request, why error) {
	switch {
	case wantsPage(r):
		up := max(0, strings.Count(r.URL.Path, "/")-1)
		redirect(w, strings.Repeat("../", up)+strings.TrimPrefix(webguard.LoginPath, "/"))
		return
	case !wantsJSON(r):
		w.Header().Set("WWW-Authenticate", `Basic realm="camqtt", charset="UTF-8"`)
	}
	respond.Text(w, http.StatusUnauthorized, "%s", why)
}

// wantsPage reports whether a browser asks for something to show in its window.
func wantsPage(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// wantsJSON reports whether a script of the page asks, or a program that reads JSON.
func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

// session finds the session of a request; nil is none.
func (h *Handler) session(r *http.Request) *session.Session {
	value := h.cookies(r).Value(r)
	if value == "" {
		return nil
	}
	return h.o.Sessions.Find(value)
}

func (h *Handler) cookies(r *http.Request) session.Cookies {
	return session.Cookies{Encrypted: h.o.Guard.Encrypted(r), Embedded: h.o.Guard.Embeds()}
}

// renewCookie lets a browser that is in use stay logged in.
func (h *Handler) renewCookie(w http.ResponseWriter, r *http.Request, x *session.Session) {
	if x == nil {
		return
	}
	if text := h.o.Sessions.Renew(x); text != "" {
		http.SetCookie(w, h.cookies(r).Session(text))
	}
}
