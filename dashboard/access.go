package dashboard

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"camqtt/internal/access"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

const healthPath = "/healthz"

// need is what somebody must be allowed to have a path. The zero value lets nobody.
type need byte

const (
	_         need = iota
	nothing        // everybody may, without a word about himself
	toWatch        // who may see cameras; what he gets is cut down to his own
	toCommand      // who may see the camera of the path and give it commands
	toSee          // who may see the pictures of the camera of the path
	toConnect      // everybody, where the broker asks for an account itself
	toManage       // admins, by name: who is let in without an account is nobody's admin
)

// visitor is who makes a request.
type visitor struct {
	access.Principal
	known   bool     // not known: only on paths where the broker asks, or nobody does
	session *session // nil: he did not log in, and says who he is with every request
}

type visitorKey struct{}

// visitorOf returns who makes a request that identified has passed.
func visitorOf(r *http.Request) visitor {
	v, _ := r.Context().Value(visitorKey{}).(visitor)
	return v
}

// identified finds out who makes a request, and returns it with that in its context.
// false: it has answered. Who is nobody passes where the broker asks itself.
func (d *Dashboard) identified(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	v, err := d.visit(r)
	if err == nil || errors.Is(err, access.ErrNone) && r.URL.Path == mqttPath {
		if r.URL.Path != mqttPath { // the answer to an upgrade carries no cookie
			d.renewCookie(w, r, v.session)
		}
		return r.WithContext(context.WithValue(r.Context(), visitorKey{}, v)), true
	}
	d.refuseVisitor(w, r, err)
	return nil, false
}

// operatesAll reports whether somebody may see and set every camera.
func (v visitor) operatesAll() bool {
	return v.known && v.Everything() && v.Role != access.Viewer && v.Role != access.Reader
}

// askWho answers that an account is needed: browsers with the page where one logs in,
// programs so that they know what to send. What a script of our page asks for is no
// reason for a browser to open its own window for passwords.
func askWho(w http.ResponseWriter, r *http.Request, why error) {
	switch {
	case wantsPage(r):
		up := max(0, strings.Count(r.URL.Path, "/")-1)
		w.Header().Set("Location", strings.Repeat("../", up)+strings.TrimPrefix(loginPath, "/"))
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusSeeOther)
		return
	case !wantsJSON(r):
		w.Header().Set("WWW-Authenticate", `Basic realm="camqtt", charset="UTF-8"`)
	}
	refuse(w, http.StatusUnauthorized, "%s", why)
}

// identify finds out who makes a request without a session: by a user with a password
// or token, by a token alone, in the header or, for players that can only take a URL,
// as ?token=, and last by where he comes from.
func (d *Dashboard) identify(r *http.Request) (access.Principal, error) {
	if d.opts.Access == nil {
		return access.Principal{Role: access.Anyone}, nil
	}
	at := access.Attempt{From: d.proxies.client(r), Web: true}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if user, password, ok := r.BasicAuth(); ok {
		at.User, at.Secret = user, password
	} else if strings.EqualFold(scheme, "Bearer") {
		at.Secret = strings.TrimSpace(token)
	} else {
		at.Secret = r.URL.Query().Get("token")
	}
	return d.opts.Access.Identify(r.Context(), at)
}

// permitted serves a path to those who may have it.
func (d *Dashboard) permitted(n need, serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := visitorOf(r)
		ok := false
		switch n {
		case nothing:
			ok = true
		case toConnect:
			if ok = !d.opts.OwnRights || v.operatesAll(); !ok && !v.known {
				askWho(w, r, access.ErrNone)
				return
			}
		case toManage:
			ok = v.Role == access.Admin
		case toWatch:
			ok = v.Watches()
		case toCommand:
			ok = d.mayAsk(v, wire.ID(r.PathValue("id")), access.Publish, wire.KindCmd)
		case toSee:
			ok = d.mayAsk(v, wire.ID(r.PathValue("id")), access.Receive, wire.KindPreview)
		}
		if !ok {
			refuse(w, http.StatusForbidden, "%s", denied(v.Principal))
			return
		}
		r, release, ok := d.bound(r)
		defer release()
		if !ok { // who remembers him does not know yet
			askWho(w, r, access.ErrNone)
			return
		}
		serve(w, r)
	}
}

// mayAsk reports whether a user may see a camera, and use one of its topics.
func (d *Dashboard) mayAsk(v visitor, id wire.ID, a access.Action, k wire.Kind) bool {
	if _, err := wire.ParseID(string(id)); err != nil {
		return v.Watches() // the handler says what is wrong with the id
	}
	return d.sees(v.Principal, id) && d.space.Allowed(v.Principal, a, d.opts.Base.Topic(id, k))
}

// denied says why somebody may not have something, without a word about whether it
// exists.
func denied(p access.Principal) string {
	if p.Name == "" {
		return "without an account only pictures that come by themselves can be seen"
	}
	return "the account " + p.Name + " (" + p.Role.String() + ") has no right to this"
}

// sees reports whether somebody may see a camera.
func (d *Dashboard) sees(p access.Principal, id wire.ID) bool {
	return d.space.Allowed(p, access.Receive, d.opts.Base.Topic(id, wire.KindState))
}

// seen are the cameras that somebody may see.
func (d *Dashboard) seen(p access.Principal) []viewer.Camera {
	all := d.opts.Viewer.Cameras()
	out := all[:0:0]
	for _, c := range all {
		if d.sees(p, c.ID) {
			out = append(out, c)
		}
	}
	return out
}
