package dashboard

import (
	"net/http"
	"slices"
	"strings"

	"camqtt/dashboard/internal/login"
	"camqtt/dashboard/internal/respond"
	"camqtt/dashboard/internal/webguard"
	"camqtt/internal/access"
	"camqtt/internal/wire"
)

// permission is what a user needs for a path. The zero value permits no request.
type permission byte

const (
	_          permission = iota
	public                // no account is needed
	mayWatch              // may see cameras; the answer has those of the user only
	mayCommand            // may see the camera of the path and give it commands
	maySee                // may see the pictures of the camera of the path
	mayConnect            // everybody, where the broker itself asks for an account
	mayManage             // admins with an account
)

// route is a path and the permission it needs.
type route struct {
	pattern    string
	permission permission
	serve      http.HandlerFunc
}

// makeRoutes is the list of paths.
func (d *Dashboard) makeRoutes() []route {
	all := []route{
		{"GET /{$}", mayWatch, d.page[indexFile].serve},
		{"GET " + webguard.MQTTPath, mayConnect, d.sockets.serve},
		{"GET /cam/{id}/snapshot.jpg", mayCommand, d.pictures.snapshot},
		{"GET /cam/{id}/preview.jpg", maySee, d.pictures.preview},
		{"GET /cam/{id}/stream.mjpg", mayCommand, d.streams.serve},
		{"GET /api/cameras", mayWatch, d.cameras.serve},
		{"GET " + webguard.HealthPath, public, func(w http.ResponseWriter, _ *http.Request) {
			respond.Text(w, http.StatusOK, "ok")
		}},
		{"GET /readyz", mayWatch, d.readyz},
		{"GET " + webguard.LoginPath, public, d.login.ShowLogin},
		{"POST " + webguard.LoginPath, public, d.login.LogIn},
		{"POST /logout", public, d.login.LogOut},
		{"GET /api/me", public, d.login.WhoAmI},
		{"POST /api/mqtt-ticket", mayWatch, d.login.OldTicket},
		{"GET /metrics", mayWatch, d.showMetrics},
	}
	if d.opts.Enrol != nil {
		all = append(all, route{"POST /api/enrol", mayManage, d.accounts.invite})
	}
	if d.opts.Users != nil {
		all = append(all, route{"GET /api/users", mayManage, d.accounts.list},
			route{"POST /api/users", mayManage, d.accounts.add},
			route{"DELETE /api/users/{name}", mayManage, d.accounts.remove})
	}
	for name, f := range d.page {
		p := mayWatch
		if slices.Contains(publicFiles(), name) {
			p = public
		}
		all = append(all, route{"GET /" + name, p, f.serve})
	}
	return all
}

// publicPaths are the paths that need no account.
func (d *Dashboard) publicPaths() map[string]bool {
	all := map[string]bool{}
	for _, r := range d.routes {
		if _, path, _ := strings.Cut(r.pattern, " "); r.permission == public {
			all[path] = true
		}
	}
	return all
}

// mux serves the routes to users with the permission. A path that does not exist needs an
// account as well, so that strangers do not learn which paths there are.
func (d *Dashboard) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range d.routes {
		mux.HandleFunc(r.pattern, d.permitted(r))
	}
	return mux
}

// permitted serves a route to users with its permission.
func (d *Dashboard) permitted(route route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u := login.UserOf(r)
		switch {
		case d.allows(u, route.permission, wire.ID(r.PathValue("id"))):
		case route.permission == mayConnect && !u.Known:
			login.AskForAccount(w, r, access.ErrNone)
			return
		default:
			respond.Text(w, http.StatusForbidden, "%s", denied(u.Principal))
			return
		}
		r, release, ok := d.login.Bind(r)
		defer release()
		if !ok { // the session or account has just ended
			login.AskForAccount(w, r, access.ErrNone)
			return
		}
		route.serve(w, r)
	}
}

// allows reports whether a user has a permission for a camera.
func (d *Dashboard) allows(u login.User, p permission, id wire.ID) bool {
	switch p {
	case public:
		return true
	case mayConnect:
		return !d.opts.OwnRights || u.OperatesAll()
	case mayManage:
		return u.Role == access.Admin
	case mayWatch:
		return u.Watches()
	case mayCommand:
		return d.cameras.mayUse(u.Principal, id, access.Publish, wire.KindCmd)
	case maySee:
		return d.cameras.mayUse(u.Principal, id, access.Receive, wire.KindPreview)
	}
	return false
}

// denied says why a user may not have something. It does not tell whether that exists.
func denied(p access.Principal) string {
	if p.Name == "" {
		return "without an account only pictures that come by themselves can be seen"
	}
	return "the account " + p.Name + " (" + p.Role.String() + ") has no right to this"
}

func (d *Dashboard) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := d.opts.Disk(); err != nil {
		respond.Text(w, http.StatusServiceUnavailable, "%s", err)
		return
	}
	if !d.opts.Ready() {
		respond.Text(w, http.StatusServiceUnavailable, "not connected to the broker")
		return
	}
	respond.Text(w, http.StatusOK, "ok")
}

// showMetrics shows everything to users who may see every camera, and to others the
// figures of their own cameras.
func (d *Dashboard) showMetrics(w http.ResponseWriter, r *http.Request) {
	p := login.UserOf(r).Principal
	if p.Everything() {
		d.metrics.all.ServeHTTP(w, r)
		return
	}
	serveCameraMetrics(w, r, d.cameras.visible(p))
}
