package enrol

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"camqtt/internal/cert"
)

// Endpoint is how nodes reach a hub. It is in the hub's file, so that other processes can
// write join strings.
type Endpoint struct {
	Pin    cert.Pin
	Listen string // host:port that is listened on; the host may stand for all addresses
	// Names are hosts, with or without a port, by which others know the hub; none uses
	// the machine's addresses.
	Names  []string
	Public bool   // the hub's certificate comes from an authority, and needs no pin
	Scheme string // of the broker's URL there: mqtts or wss
}

// Local reports whether only this machine can reach the door.
func (d Endpoint) Local() bool {
	ip, err := netip.ParseAddrPort(d.Listen)
	return err == nil && ip.Addr().IsLoopback()
}

// Addresses are where a node finds the door: the given ones, with the door's port
// unless they have one, else its names, else this machine's addresses.
func (d Endpoint) Addresses(given []string) ([]string, error) {
	host, port, err := net.SplitHostPort(d.Listen)
	if err != nil {
		return nil, fmt.Errorf("the hub listens on %.80q: want host:port", d.Listen)
	}
	hosts := given
	if len(hosts) == 0 {
		hosts = d.Names
	}
	if len(hosts) == 0 {
		if ip, err := netip.ParseAddr(host); host != "" && (err != nil || !ip.IsUnspecified()) {
			hosts = []string{host}
		} else {
			hosts = machine()
		}
	}
	var all []string
	for _, h := range hosts {
		a := h
		if _, _, err := net.SplitHostPort(h); err != nil {
			a = net.JoinHostPort(strings.Trim(h, "[]"), port)
		}
		if err := checkAddress(a); err != nil {
			return nil, err
		}
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	if len(all) > maxAddresses {
		return nil, fmt.Errorf("%d addresses: want at most %d", len(all), maxAddresses)
	}
	return all, nil
}

// near is where a program on this machine finds the door.
func (d Endpoint) near() string {
	host, port, err := net.SplitHostPort(d.Listen)
	if ip, ipErr := netip.ParseAddr(host); err == nil && (host == "" || ipErr == nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return d.Listen
}

// machine are this machine's addresses that others may reach, those of IPv4 first, at
// most four. Where there are none, loopback has to do.
func machine() []string {
	var four, six []string
	all, err := net.Interfaces()
	if err != nil {
		return []string{"127.0.0.1"}
	}
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || inward(i.Name) {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			switch ip := p.Addr().Unmap(); {
			case err != nil || !ip.IsGlobalUnicast():
			case ip.Is4():
				four = append(four, ip.String())
			default:
				six = append(six, ip.String())
			}
		}
	}
	const most = 4
	if out := append(four, six...); len(out) > 0 {
		return out[:min(most, len(out))]
	}
	return []string{"127.0.0.1"}
}

// inward reports whether a network is between this machine and programs on it.
func inward(name string) bool {
	for _, prefix := range []string{"docker", "br-", "veth", "virbr", "lxc", "cni", "podman"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
