package dashboard

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// hosts are the names under which we may be reached. A foreign site can point its own
// name at our address and would then be the same origin as we are; its name in Host is
// what gives it away (DNS rebinding).
type hosts struct {
	own map[string]bool // this machine's, and those of the configuration
}

// parseHosts takes the names of the configuration, and adds this machine's.
func parseHosts(list []string, o origins) (hosts, error) {
	h := hosts{own: map[string]bool{"": true, "localhost": true}}
	for name := range o.hosts {
		h.own[name] = true
	}
	for _, name := range list {
		low := strings.ToLower(strings.TrimSuffix(name, "."))
		if low == "" || strings.ContainsAny(low, "/:*@ \t\r\n") {
			return h, fmt.Errorf("dashboard: host %.80q: want a name such as cams.example, without scheme or port", name)
		}
		h.own[low] = true
	}
	if name, err := os.Hostname(); err == nil && name != "" { // without one there is only no such name
		name = strings.ToLower(name)
		short, _, _ := strings.Cut(name, ".")
		h.own[name], h.own[short], h.own[short+".local"] = true, true, true
	}
	return h, nil
}

// bareHost is the name in a Host header, in small letters, without port and brackets.
// What stands for a port and is none belongs to the name: nobody is called that.
func bareHost(host string) string {
	name := strings.ToLower(host)
	if h, port, err := net.SplitHostPort(name); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil || port == "" {
			name = h
		}
	}
	return strings.TrimSuffix(strings.Trim(name, "[]"), ".")
}

// know reports whether a Host header may reach us. On loopback, which programs trust
// most, only names of this machine may. Elsewhere addresses may, and names that
// nobody can own on the internet: those without a dot, and those of home networks.
// RFC 6762 (.local), RFC 8375 (home.arpa); ICANN reserves .internal and has never
// delegated .lan.
func (h hosts) know(host string, loopback bool) bool {
	name := bareHost(host)
	if h.own[name] {
		return true
	}
	ip, err := netip.ParseAddr(name)
	if loopback {
		return err == nil && ip.Zone() == "" && ip.IsLoopback()
	}
	if err == nil {
		return true
	}
	for _, end := range []string{".local", ".lan", ".home.arpa", ".internal", ".localhost"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return !strings.ContainsAny(name, ".:")
}

// onLoopback reports whether a request came in on a loopback address of ours. It
// looks at the connection, not the listener: one that listens everywhere is reached
// on loopback too, and what comes from there is trusted most.
func onLoopback(r *http.Request) bool {
	a, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// guardHost refuses requests that a foreign site may have sent through a browser that
// can reach us. false: it has answered.
func (d *Dashboard) guardHost(w http.ResponseWriter, r *http.Request) bool {
	near := onLoopback(r)
	if d.names.know(r.Host, near) || d.opts.Named(bareHost(r.Host)) {
		return true
	}
	where := "open it by its address, or"
	if near {
		where = "this address is for this machine only: open http://localhost, or, behind a proxy,"
	}
	refuse(w, http.StatusMisdirectedRequest, "the Host header says %.100q, which is no name of this dashboard: %s add "+
		"the name to dashboard.hosts, or its address such as https://%.100s to dashboard.origins", r.Host, where, r.Host)
	return false
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
