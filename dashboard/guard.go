package dashboard

import (
	"fmt"
	"net/http"
)

// The policy lets the page load from here and nowhere else.
const (
	policyBegin = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors "
	policyEnd = "; require-trusted-types-for 'script'; trusted-types 'none'"
)

// secure sets what every answer carries. Pictures too may be shown by pages of this
// origin and of the sites in dashboard.embed only: programs such as Home Assistant fetch
// them without a browser, which these headers do not concern.
func (d *Dashboard) secure(h http.Header, path string) {
	h.Set("Content-Security-Policy", policyBegin+d.embed.ancestors+policyEnd)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if d.embed.covers(path) {
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), fullscreen=(self), screen-wake-lock=(self)")
}

// guardSite refuses what a page of another site makes a browser load from us: it
// could not see the answer, but asking already turns a camera on. Following a link
// is allowed. Only browsers send Sec-Fetch-Site, and only on secure origins.
func (d *Dashboard) guardSite(w http.ResponseWriter, r *http.Request) bool {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	if err := d.cross.Check(r); err != nil && (site != "" || !d.origins.allows(r, origin)) {
		refuse(w, http.StatusForbidden, "pages of other sites may change nothing here (%s): %s", err, d.origins.refusal(r, origin))
		return false
	}
	switch {
	case site == "" || site == "same-origin" || site == "none":
	case r.URL.Path == mqttPath: // judged by its Origin
	case r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document":
	case d.embed.allows(r):
	default:
		refuse(w, http.StatusForbidden, "pages of other sites may not load this, but a link to it works. To show it in a site's pages, add the site to dashboard.embed")
		return false
	}
	return true
}

// refuse answers with one line of text that says what is wrong.
func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}
