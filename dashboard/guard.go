package dashboard

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// policy lets the page load from here and nowhere else, and nobody frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// secure sets what every answer carries. Pictures too may be shown by pages of this
// origin only: programs such as Home Assistant fetch them without a browser, which
// these headers do not concern.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), fullscreen=(self), screen-wake-lock=(self)")
}

// origins are the web sites beside our own that may talk to us.
type origins struct {
	full  map[string]bool // scheme://host[:port]
	hosts map[string]bool // host without port
}

func parseOrigins(list []string) (origins, error) {
	o := origins{full: map[string]bool{}, hosts: map[string]bool{}}
	for _, s := range list {
		u, err := url.Parse(s)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil ||
			strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Host, "*") {
			return o, fmt.Errorf("dashboard: origin %.80q: want such as https://cams.example or http://192.168.1.5:8123", s)
		}
		o.full[u.Scheme+"://"+plainHost(u.Host, u.Scheme)] = true
		o.hosts[strings.ToLower(u.Hostname())] = true
	}
	return o, nil
}

// plainHost writes a host without the port that its scheme implies.
func plainHost(host, scheme string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// allows reports whether a page of the given origin may open the WebSocket of host.
// Programs that are no browsers send no origin.
func (o origins) allows(origin, host string) bool {
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	// The scheme may differ from ours: a proxy may add TLS.
	if plainHost(u.Host, u.Scheme) == plainHost(host, u.Scheme) && (u.Scheme == "http" || u.Scheme == "https") {
		return true
	}
	return o.full[u.Scheme+"://"+plainHost(u.Host, u.Scheme)]
}

// guardSite refuses what a page of another site makes a browser load from us: it
// could not see the answer, but asking already turns a camera on. Following a link
// is allowed. Only browsers send Sec-Fetch-Site, and only on secure origins.
func (d *Dashboard) guardSite(w http.ResponseWriter, r *http.Request) bool {
	if err := d.cross.Check(r); err != nil {
		refuse(w, http.StatusForbidden, "pages of other sites may change nothing here (%s)", err)
		return false
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site == "" || site == "same-origin" || site == "none":
	case r.URL.Path == mqttPath: // judged by its Origin
	case r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document":
	default:
		refuse(w, http.StatusForbidden, "pages of other sites may not load this; a link to it works")
		return false
	}
	return true
}

// visitorAddr returns the address of the browser. A proxy on this machine makes all
// the world look local, so what it says of its client is believed, from the right:
// the part on the left is what the client claims. Nobody who comes through a proxy is
// taken to be local.
func visitorAddr(r *http.Request) net.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return &net.TCPAddr{}
	}
	ip := peer.Addr().Unmap().WithZone("")
	forwarded := forwardedFor(r.Header)
	if ip.IsLoopback() && forwarded != "" {
		hops := strings.Split(forwarded, ",")
		for i := len(hops) - 1; i >= 0; i-- {
			hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
			if err != nil {
				return &net.TCPAddr{} // somebody, but surely nobody local
			}
			if ip = hop.Unmap().WithZone(""); !ip.IsLoopback() {
				return &net.TCPAddr{IP: ip.AsSlice()}
			}
		}
	}
	if ip.IsLoopback() && forwarded != "" {
		return &net.TCPAddr{}
	}
	return &net.TCPAddr{IP: peer.Addr().Unmap().AsSlice(), Port: int(peer.Port())}
}

// forwardedFor returns what proxies say of where a request came from.
func forwardedFor(h http.Header) string {
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded"} {
		if v := h.Values(name); len(v) > 0 {
			return strings.Join(v, ",")
		}
	}
	return ""
}

// refuse answers with one line of text that says what is wrong.
func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}
