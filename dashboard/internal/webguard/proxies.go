package webguard

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// proxyLoopback is the word for all loopback addresses in a list of proxies.
const proxyLoopback = "loopback"

// proxies are the peers whose X-Forwarded headers are believed.
type proxies struct {
	trusted []netip.Prefix
}

// parseProxies takes addresses, networks such as 172.16.0.0/12, and the word loopback.
// Without a list, loopback is trusted.
func parseProxies(list []string) (p proxies, err error) {
	if list == nil {
		list = []string{proxyLoopback}
	}
	for _, text := range list {
		if text == proxyLoopback {
			p.trusted = append(p.trusted, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			ip, err := netip.ParseAddr(text)
			if err != nil || ip.Zone() != "" {
				return p, fmt.Errorf("dashboard: proxy %.80q: want an address such as 192.0.2.1, a network such as 192.0.2.0/24, or %s", text, proxyLoopback)
			}
			prefix = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen())
		}
		p.trusted = append(p.trusted, prefix.Masked())
	}
	return p, nil
}

func (p proxies) trusts(ip netip.Addr) bool {
	for _, prefix := range p.trusted {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// peer is the other end of the connection; the zero address where that has none.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// client returns the address of the browser or program. What trusted proxies say of it
// is believed, from the right: the part on the left is what the client claims. No
// client of a proxy is taken to be on this machine.
func (p proxies) client(r *http.Request) net.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return &net.TCPAddr{}
	}
	ip, forwarded := peer(r), forwardedFor(r.Header)
	switch {
	case forwarded == "" || !p.trusts(ip) && !ip.IsLoopback():
		return &net.TCPAddr{IP: at.Addr().Unmap().AsSlice(), Port: int(at.Port())}
	case !p.trusts(ip):
		return &net.TCPAddr{}
	}
	hops := strings.Split(forwarded, ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if ip = hop.Unmap().WithZone(""); !p.trusts(ip) && !ip.IsLoopback() {
			return &net.TCPAddr{IP: ip.AsSlice()}
		}
	}
	return &net.TCPAddr{} // not known, but not local
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

// host returns the Host that the browser sent to a trusted proxy; "" where none says it.
func (p proxies) host(r *http.Request) string {
	if !p.trusts(peer(r)) {
		return ""
	}
	return forwardedHost(r)
}

func forwardedHost(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Host"), ",")
	return strings.TrimSpace(first)
}

// encrypted reports whether the browser speaks TLS, to us or to a trusted proxy.
func (p proxies) encrypted(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return p.trusts(peer(r)) && strings.EqualFold(strings.TrimSpace(first), "https")
}
