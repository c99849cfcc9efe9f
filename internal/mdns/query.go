package mdns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/ipv4"
)

const (
	maxPacket   = 9000                   // RFC 6762 section 17
	again       = 300 * time.Millisecond // a question is asked once more
	sixPatience = 150 * time.Millisecond // for an IPv4 address after the first answer
	maxAddrs    = 16                     // of one name
	unicastBit  = 1 << 15                // of a question's class: the answer may come to the asker alone, section 5.4
)

// ask asks the network on every interface, from a port of its own (section 5.1), so that
// neither a privilege nor the port that avahi has is needed.
func (r Resolver) ask(ctx context.Context, host string) ([]netip.Addr, error) {
	interfaces := r.Interfaces
	if interfaces == nil {
		interfaces = multicasting
	}
	all, err := interfaces()
	if err != nil {
		return nil, err
	}
	question, err := questionFor(host)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan []netip.Addr, len(all))
	for _, i := range all {
		go func() { answers <- r.askOn(ctx, i, host, question) }() // ends with ctx at the latest
	}
	for range all {
		if addrs := <-answers; len(addrs) > 0 {
			return addrs, nil
		}
	}
	return nil, ErrNotFound
}

// multicasting are the interfaces by which other machines can be asked.
func multicasting() (some []net.Interface, err error) {
	all, err := net.Interfaces()
	for _, i := range all {
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagMulticast != 0 && i.Flags&net.FlagLoopback == 0 {
			some = append(some, i)
		}
	}
	return some, err
}

// questionFor is a packet that asks for the addresses of a name.
func questionFor(host string) ([]byte, error) {
	name, err := dnsmessage.NewName(host + ".")
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{}
	for _, t := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		m.Questions = append(m.Questions, dnsmessage.Question{Name: name, Type: t, Class: dnsmessage.ClassINET | unicastBit})
	}
	return m.Pack()
}

// askOn asks on one interface until an answer has come, or ctx is done.
func (r Resolver) askOn(ctx context.Context, i net.Interface, host string, question []byte) []netip.Addr {
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return nil
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := ipv4.NewPacketConn(conn).SetMulticastInterface(&i); err != nil {
		return nil
	}
	group := r.Group
	if !group.IsValid() {
		group = netip.AddrPortFrom(netip.AddrFrom4([4]byte{224, 0, 0, 251}), 5353)
	}
	near := networks(i)
	var found []netip.Addr
	buf := make([]byte, maxPacket)
	for n := 0; ctx.Err() == nil; n++ {
		if n < 2 && found == nil {
			if _, err := conn.WriteToUDPAddrPort(question, group); err != nil {
				return found
			}
		}
		wait := again
		if found != nil {
			wait = sixPatience
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		if ctx.Err() != nil { // its deadline may have been overwritten
			break
		}
		size, from, err := conn.ReadFromUDPAddrPort(buf)
		var slow net.Error
		switch {
		case errors.As(err, &slow) && slow.Timeout() && found == nil:
			continue
		case err != nil:
			return found
		}
		if from.Port() != group.Port() || !contain(near, from.Addr().Unmap()) {
			continue
		}
		found = append(found, parse(buf[:size], host, i.Name)...)
		if len(found) >= maxAddrs || slices.ContainsFunc(found, netip.Addr.Is4) {
			break
		}
	}
	slices.SortStableFunc(found, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	found = slices.Compact(found)
	return found[:min(len(found), maxAddrs)]
}

// networks are those that an interface is in. An answer from elsewhere is none: a machine
// far away could send it (RFC 6762 section 11).
func networks(i net.Interface) (all []netip.Prefix) {
	addrs, err := i.Addrs()
	if err != nil {
		return nil // and no answer is believed
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p)
		}
	}
	return all
}

func contain(all []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
}

// parse returns the addresses of a name in an answer; link-local ones are of a zone.
func parse(packet []byte, host, zone string) (addrs []netip.Addr) {
	var p dnsmessage.Parser
	head, err := p.Start(packet)
	if err != nil || !head.Response || p.SkipAllQuestions() != nil {
		return nil
	}
	for {
		h, err := p.AnswerHeader()
		if err != nil {
			return addrs
		}
		named := strings.EqualFold(strings.TrimSuffix(h.Name.String(), "."), host)
		switch {
		case named && h.Type == dnsmessage.TypeA:
			if a, err := p.AResource(); err == nil {
				addrs = append(addrs, netip.AddrFrom4(a.A))
				continue
			}
			return addrs
		case named && h.Type == dnsmessage.TypeAAAA:
			if a, err := p.AAAAResource(); err == nil {
				addr := netip.AddrFrom16(a.AAAA)
				if addr.IsLinkLocalUnicast() {
					addr = addr.WithZone(zone)
				}
				addrs = append(addrs, addr)
				continue
			}
			return addrs
		}
		if p.SkipAnswer() != nil {
			return addrs
		}
	}
}
