package mdns

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

// An answer that comes from another port than that of the question is no responder's.
func TestStrangersAreNotBelieved(t *testing.T) {
	stranger, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the socket
		buf := make([]byte, 1500)
		for {
			_, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = stranger.WriteToUDPAddrPort(answer(t, "hub.local", "10.9.0.66"), from)
			_, _ = conn.WriteToUDPAddrPort(answer(t, "hub.local", "10.9.0.1"), from)
		}
	}()
	defer conn.Close()
	r := responder(t, 0, func(string) [][]byte { return nil }) // for its interface
	r.Group = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	got, err := r.Lookup(t.Context(), "hub.local")
	if err != nil || !slices.Equal(got, []netip.Addr{netip.MustParseAddr("10.9.0.1")}) {
		t.Errorf("got %v, %v, want 10.9.0.1 alone", got, err)
	}
}

// Answers are believed from the networks of the interface only.
func TestNetworks(t *testing.T) {
	lo, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Fatal(err)
	}
	near := networks(*lo)
	for addr, want := range map[string]bool{"127.0.0.1": true, "127.9.9.9": true, "192.0.2.1": false, "8.8.8.8": false} {
		if got := contain(near, netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is in %v: %v, want %v", addr, near, got, want)
		}
	}
}

// A flood of addresses ends the question.
func TestManyAddressesAreBounded(t *testing.T) {
	many := slices.Repeat([]string{"2001:db8::1", "2001:db8::2"}, 100)
	r := responder(t, 0, func(n string) [][]byte { return [][]byte{answer(t, n, many...)} })
	got, err := r.Lookup(t.Context(), "hub.local")
	if err != nil || len(got) > maxAddrs {
		t.Errorf("%d addresses, %v, want at most %d", len(got), err, maxAddrs)
	}
}
