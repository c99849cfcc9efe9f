package webguard

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

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

// parseOrigin takes an Origin header apart; nil is one that no web page has.
func parseOrigin(origin string) *url.URL {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	return u
}

// lists reports whether an origin is one of those in the configuration.
func (o origins) lists(u *url.URL) bool { return o.full[u.Scheme+"://"+plainHost(u.Host, u.Scheme)] }

// sameOrigin reports whether a page of an origin and a Host header belong together. The
// scheme may differ from ours: a proxy may add TLS.
func sameOrigin(u *url.URL, host string) bool {
	return plainHost(u.Host, u.Scheme) == plainHost(host, u.Scheme)
}

// sameName is sameOrigin for a Host header that has lost its port.
func sameName(u *url.URL, host string) bool {
	_, _, err := net.SplitHostPort(host)
	return err != nil && bareHost(host) == bareHost(u.Host)
}

// originRule decides whether pages of an origin may talk to us.
type originRule struct {
	listed  origins
	proxies proxies
	names   hosts
}

// allows reports whether a page of the given origin may open the WebSocket or change
// something. Programs that are no browsers send no origin. A trusted proxy says in
// X-Forwarded-Host what the browser asked for; one that passes on a Host without the port
// leaves only the name to compare.
func (o originRule) allows(r *http.Request, origin string) bool {
	if origin == "" {
		return true
	}
	u := parseOrigin(origin)
	if u == nil {
		return false
	}
	if o.listed.lists(u) || sameOrigin(u, r.Host) {
		return true
	}
	if !o.proxies.trusts(peer(r)) {
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site") // where a browser sends it, it tells ports apart
	sameSite := site == "" || site == "same-origin" || site == "none"
	forwarded := o.proxies.host(r)
	if forwarded != "" && o.names.know(forwarded, false) && (sameOrigin(u, forwarded) || sameSite && sameName(u, forwarded)) {
		return true
	}
	return sameSite && sameName(u, r.Host)
}

// refusal says why an origin is not allowed and what allows it.
func (o originRule) refusal(r *http.Request, origin string) string {
	return fmt.Sprintf("pages of %.100s may not connect, because the request says Host: %.100s. %s", origin, r.Host, o.remedy(r, origin))
}

// remedy names the key of the configuration that allows an origin.
func (o originRule) remedy(r *http.Request, origin string) string {
	u := parseOrigin(origin)
	if u == nil {
		return "Open the page of this server, or of one of dashboard.origins, and not in a sandbox"
	}
	from, forwarded := peer(r), forwardedHost(r)
	own := fmt.Sprintf("%s://%.100s", u.Scheme, strings.ToLower(u.Host))
	belongs := func(host string) bool { return host != "" && (sameOrigin(u, host) || sameName(u, host)) }
	switch {
	case !o.proxies.trusts(from) && (belongs(r.Host) || belongs(forwarded)):
		return fmt.Sprintf("Add %s, the address of the proxy, to dashboard.trusted_proxies, or add %s to dashboard.origins", from, own)
	case o.proxies.trusts(from) && belongs(forwarded):
		return fmt.Sprintf("Add %.100s to dashboard.hosts, or add %s to dashboard.origins", bareHost(forwarded), own)
	}
	return fmt.Sprintf("Add %s to dashboard.origins, or let the proxy pass on Host as it came (nginx: proxy_set_header Host $http_host)", own)
}

// protection refuses what pages of other sites would have a browser change here. RFC
// 6265bis' SameSite is the second line: it does not tell ports of one host apart.
func (o origins) protection() (*http.CrossOriginProtection, error) {
	p := http.NewCrossOriginProtection()
	for origin := range o.full {
		if err := p.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("dashboard: origin %.80q: %w", origin, err)
		}
	}
	return p, nil
}
