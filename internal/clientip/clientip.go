// Package clientip says which IP address a client has, and which addresses count as one
// where clients are limited.
package clientip

import (
	"net"
	"net/netip"
)

// Of returns the IP address of the other end of a connection, if it has one.
func Of(a net.Addr) (netip.Addr, bool) {
	switch t := a.(type) {
	case nil:
		return netip.Addr{}, false
	case *net.TCPAddr:
		ip, ok := netip.AddrFromSlice(t.IP)
		return ip.Unmap().WithZone(""), ok
	}
	return Parse(a.String())
}

// Parse reads an address with a port or without one.
func Parse(s string) (netip.Addr, bool) {
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap().WithZone(""), true
	}
	ip, err := netip.ParseAddr(s)
	return ip.Unmap().WithZone(""), err == nil
}

// Group returns what counts as one address: an IPv4 address, or the /64 that a customer
// has at least in IPv6. RFC 6177
func Group(ip netip.Addr) netip.Addr {
	if !ip.Is6() {
		return ip
	}
	p, err := ip.Prefix(64)
	if err != nil {
		return ip
	}
	return p.Addr()
}
