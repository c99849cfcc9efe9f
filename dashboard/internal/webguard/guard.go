// Package webguard decides which web requests may reach the dashboard: by Host, by the
// page that asks, and by the proxy in between. It also sets the policy headers of every
// answer.
package webguard

import (
	"net"
	"net/http"

	"camqtt/dashboard/internal/respond"
)

// Paths with rules of their own.
const (
	HealthPath = "/healthz"
	LoginPath  = "/login"
	MQTTPath   = "/mqtt"
	indexPath  = "/index.html"
)

// Options are the parts of the configuration that say which requests may reach the dashboard.
type Options struct {
	// Origins are further origins, such as https://cams.example, whose pages may open the
	// WebSocket. Their host names are also accepted as Host.
	Origins []string
	// Embed are origins of sites that may show the page in a frame and pictures in img
	// elements.
	Embed []string
	// TrustedProxies are addresses and networks whose X-Forwarded headers are believed,
	// and the word loopback; nil is loopback.
	TrustedProxies []string
	// Hosts are further names under which browsers may reach the port.
	Hosts []string
	// Named reports whether the port's certificate is for a host; nil is for none.
	Named func(host string) bool
}

// Guard applies the rules. Make one with [New].
type Guard struct {
	proxies proxies
	origins originRule
	embed   embedding
	names   hosts
	named   func(host string) bool
	cross   *http.CrossOriginProtection
}

// New parses the options.
func New(o Options) (*Guard, error) {
	listed, err := parseOrigins(o.Origins)
	if err != nil {
		return nil, err
	}
	g := &Guard{named: o.Named}
	if g.named == nil {
		g.named = func(string) bool { return false }
	}
	if g.names, err = parseHosts(o.Hosts, listed); err != nil {
		return nil, err
	}
	if g.proxies, err = parseProxies(o.TrustedProxies); err != nil {
		return nil, err
	}
	if g.embed, err = parseEmbedding(o.Embed); err != nil {
		return nil, err
	}
	g.origins = originRule{listed: listed, proxies: g.proxies, names: g.names}
	g.cross, err = listed.protection()
	return g, err
}

// Client returns the address of the browser or program, also behind a trusted proxy.
func (g *Guard) Client(r *http.Request) net.Addr { return g.proxies.client(r) }

// Encrypted reports whether the browser uses TLS, to this server or to a trusted proxy.
func (g *Guard) Encrypted(r *http.Request) bool { return g.proxies.encrypted(r) }

// Embeds reports whether any other site may show the page.
func (g *Guard) Embeds() bool { return g.embed.any() }

// AllowsOrigin reports whether a page of an origin may open the WebSocket or change
// something. Programs other than browsers send no origin and are allowed.
func (g *Guard) AllowsOrigin(r *http.Request, origin string) bool { return g.origins.allows(r, origin) }

// Refusal says why an origin is not allowed, and how to allow it.
func (g *Guard) Refusal(r *http.Request, origin string) string { return g.origins.refusal(r, origin) }

// Remedy names the key of the configuration that allows an origin.
func (g *Guard) Remedy(r *http.Request, origin string) string { return g.origins.remedy(r, origin) }

// OwnPage reports whether a request comes from a page of this server. Behind a proxy that
// changes Host, Sec-Fetch-Site tells; browsers send it on secure origins only.
func (g *Guard) OwnPage(r *http.Request) bool {
	if u := parseOrigin(r.Header.Get("Origin")); u != nil && sameOrigin(u, r.Host) {
		return true
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin"
}

// Check refuses requests that pages of other sites may have sent. It reports whether the
// request may go on; otherwise it has answered.
func (g *Guard) Check(w http.ResponseWriter, r *http.Request) bool {
	return g.checkHost(w, r) && g.checkSite(w, r)
}

// The policy lets the page load from here and nowhere else.
const (
	policyBegin = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors "
	policyEnd = "; require-trusted-types-for 'script'; trusted-types 'none'"
)

// SetHeaders sets the policy headers of an answer. Pictures too may be shown by pages of this
// origin and of the sites in dashboarg.embed only: programs such as Home Assistant fetch
// them without a browser, which these headers do not concern.
func (g *Guard) SetHeaders(h http.Header, path string) {
	h.Set("Content-Security-Policy", policyBegin+g.embed.ancestors+policyEnd)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if g.embed.covers(path) {
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), fullscreen=(self), screen-wake-lock=(self)")
}

// checkSite refuses what a page of another site makes a browser load from us: it
// could not see the answer, but asking already turns a camera on. Following a link
// is allowed. Only browsers send Sec-Fetch-Site, and only on secure origins.
func (g *Guard) checkSite(w http.ResponseWriter, r *http.Request) bool {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	if err := g.cross.Check(r); err != nil && (site != "" || !g.origins.allows(r, origin)) {
		respond.Text(w, http.StatusForbidden, "pages of other sites may change nothing here (%s): %s", err, g.origins.refusal(r, origin))
		return false
	}
	switch {
	case site == "" || site == "same-origin" || site == "none":
	case r.URL.Path == MQTTPath: // judged by its Origin
	case r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document":
	case g.embed.allows(r):
	default:
		respond.Text(w, http.StatusForbidden, "pages of other sites may not load this, but a link to it works. To show it in a site's pages, add the site to dashboarg.embed")
		return false
	}
	return true
}

// checkHost refuses requests that a foreign site may have sent through a browser that
// can reach us. false: it has answered.
func (g *Guard) checkHost(w http.ResponseWriter, r *http.Request) bool {
	near := onLoopback(r)
	if g.names.know(r.Host, near) || g.named(bareHost(r.Host)) {
		return true
	}
	where := "open it by its address, or"
	if near {
		where = "this address is for this machine only: open http://localhost, or, behind a proxy,"
	}
	respond.Text(w, http.StatusMisdirectedRequest, "the Host header says %.100q, which is no name of this dashboard: %s add "+
		"the name to dashboard.hosts, or its address such as https://%.100s to dashboard.origins", r.Host, where, r.Host)
	return false
}
