package mdns

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// avahiSocket is where avahi-daemon listens on Linux.
const avahiSocket = "/run/avahi-daemon/socket"

// avahi asks avahi-daemon by its simple protocol.
func (r Resolver) avahi(ctx context.Context, host string) ([]netip.Addr, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", cmp.Or(r.Avahi, avahiSocket))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintf(conn, "RESOLVE-HOSTNAME-IPV4 %s\n", host); err != nil {
		return nil, err
	}
	line, err := bufio.NewReaderSize(conn, 1024).ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return parseAvahi(string(line))
}

// parseAvahi reads an answer such as "+ 2 0 hub.local 10.9.0.1": interface, protocol, name
// and address.
func parseAvahi(line string) ([]netip.Addr, error) {
	f := strings.Fields(line)
	if len(f) != 5 || f[0] != "+" {
		return nil, fmt.Errorf("avahi answers %.80q", line)
	}
	a, err := netip.ParseAddr(f[4])
	if err != nil {
		return nil, fmt.Errorf("avahi answers %.80q", line)
	}
	return []netip.Addr{a}, nil
}
