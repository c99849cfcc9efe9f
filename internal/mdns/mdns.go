// Package mdns finds the machines of a local network by their names under .local, which a
// static binary's resolver does not know (RFC 6762). It asks avahi where that runs, and the
// network itself; it answers nothing, and keeps nothing.
package mdns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Resolver says where to ask. The zero value is what a program wants.
type Resolver struct {
	Avahi string         // avahi's socket; "" is /run/avahi-daemon/socket
	Group netip.AddrPort // where the network is asked; zero is 224.0.0.251:5353
	// Interfaces are those to ask on; nil are all that are up and do multicast.
	Interfaces func() ([]net.Interface, error)
	Timeout    time.Duration // 0 is 2 s
}

// ErrNotFound is that no machine has answered to a name.
var ErrNotFound = errors.New("no machine of this name answers in the local network; a firewall here must let in UDP from port 5353")

// Dial connects as [net.Dialer] does, and finds names under .local.
func Dial(ctx context.Context, d *net.Dialer, network, addr string) (net.Conn, error) {
	return Resolver{}.Dial(ctx, d, network, addr)
}

// Dial is the function of the same name with another resolver.
func (r Resolver) Dial(ctx context.Context, d *net.Dialer, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || !local(host) {
		return d.DialContext(ctx, network, addr)
	}
	addrs, err := r.Lookup(ctx, host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var errs []error
	for _, a := range addrs {
		conn, err := d.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// local reports whether a name is one of the local network.
func local(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return strings.HasSuffix(name, ".local") && len(name) > len(".local") && len(name) <= 253 &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
		})
}

// Lookup returns the addresses of a name under .local, IPv4 first. Avahi, the network and
// the system's own resolver, which knows /etc/hosts, are asked at once; the first that
// knows the name wins.
func (r Resolver) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if !local(host) {
		return nil, &net.DNSError{Err: "not a name under .local", Name: host, IsNotFound: true}
	}
	host = strings.TrimSuffix(host, ".")
	if r.Timeout == 0 {
		r.Timeout = 2 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	ways := []func(context.Context, string) ([]netip.Addr, error){r.avahi, r.ask, system}
	found := make(chan []netip.Addr, len(ways))
	for _, way := range ways {
		go func() { // ends with ctx at the latest
			addrs, err := way(ctx, host)
			if err != nil {
				addrs = nil
			}
			found <- addrs
		}()
	}
	for range ways {
		select {
		case addrs := <-found:
			if len(addrs) > 0 {
				return addrs, nil
			}
		case <-ctx.Done():
			return nil, notFound(host)
		}
	}
	return nil, notFound(host)
}

func notFound(host string) error {
	return fmt.Errorf("look up %s: %w", host, ErrNotFound)
}

func system(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
