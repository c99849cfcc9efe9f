package webguard

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

// bareHost is the name in a Host header, in lower case, without port and brackets. An
// invalid port stays part of the name, which is then unknown.
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
// cannot be registered on the internet: those without a dot, and those of home networks.
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
