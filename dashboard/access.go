package dashboard

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
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
	toConnect      // everybody, where the broker asks for an account itself
)

// visitor is who makes a request.
type visitor struct {
	access.Principal
	known bool // not known: only on paths where the broker asks
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
	p, err := d.identify(r)
	var slow *access.Slow
	switch {
	case err == nil:
		return r.WithContext(context.WithValue(r.Context(), visitorKey{}, visitor{p, true})), true
	case errors.Is(err, access.ErrNone) && r.URL.Path == mqttPath:
		return r.WithContext(context.WithValue(r.Context(), visitorKey{}, visitor{})), true
	case errors.As(err, &slow):
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(slow.After.Seconds()))))
		refuse(w, http.StatusTooManyRequests, "%s", slow)
	case r.Context().Err() != nil: // nobody listens
	default:
		askWho(w, err)
	}
	if err != nil && !errors.Is(err, access.ErrNone) {
		d.warn("visitor refused", "from", visitorAddr(r).String(), "why", err)
	}
	return nil, false
}

// operatesAll reports whether somebody may see and set every camera.
func (v visitor) operatesAll() bool {
	return v.known && v.Everything() && v.Role != access.Viewer && v.Role != access.Reader
}

// askWho answers that an account is needed, in a manner that browsers understand.
func askWho(w http.ResponseWriter, why error) {
	w.Header().Set("WWW-Authenticate", `Basic realm="camqtt", charset="UTF-8"`)
	refuse(w, http.StatusUnauthorized, "%s", why)
}

// identify finds out who makes a request: by other means where there are some, then
// by a user with a password or token, by a token alone, in the header or, for players
// that can only take a URL, as ?token=, and last by where he comes from.
func (d *Dashboard) identify(r *http.Request) (access.Principal, error) {
	if d.opts.Who != nil {
		if p, ok := d.opts.Who(r); ok {
			return p, nil
		}
	}
	if d.opts.Access == nil {
		return access.Principal{Role: access.Anyone}, nil
	}
	at := access.Attempt{From: visitorAddr(r), Web: true}
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
				askWho(w, access.ErrNone)
				return
			}
		case toWatch:
			ok = v.Watches()
		case toCommand:
			id := wire.ID(r.PathValue("id"))
			ok = d.sees(v.Principal, id) && d.space.Allowed(v.Principal, access.Publish, d.opts.Base.Topic(id, wire.KindCmd))
			if _, err := wire.ParseID(string(id)); err != nil {
				ok = v.Watches() // the handler says what is wrong with the id
			}
		}
		if !ok {
			refuse(w, http.StatusForbidden, "%s", denied(v.Principal))
			return
		}
		if d.opts.Access != nil && v.known {
			ctx, cancel := d.opts.Access.Bind(r.Context(), v.Principal)
			defer cancel()
			if ctx.Err() != nil && r.Context().Err() == nil { // who remembers him does not know yet
				askWho(w, access.ErrNone)
				return
			}
			r = r.WithContext(ctx)
		}
		serve(w, r)
	}
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
