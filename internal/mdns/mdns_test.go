package mdns

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// answer is what a responder says to a question.
func answer(t testing.TB, name string, addrs ...string) []byte {
	t.Helper()
	n := dnsmessage.MustNewName(name + ".")
	m := dnsmessage.Message{Header: dnsmessage.Header{Response: true, Authoritative: true}}
	for _, s := range addrs {
		a := netip.MustParseAddr(s)
		h := dnsmessage.ResourceHeader{Name: n, Class: dnsmessage.ClassINET | 1<<15, TTL: 120}
		if a.Is4() {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		} else {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// responder answers questions on loopback, the first few of them not at all.
func responder(t *testing.T, lost int, say func(name string) [][]byte) Resolver {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() { // ends with the socket
		buf := make([]byte, 1500)
		for n := 0; ; n++ {
			size, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:size]) != nil || len(m.Questions) != 2 || n < lost {
				continue
			}
			for _, p := range say(strings.TrimSuffix(m.Questions[0].Name.String(), ".")) {
				_, _ = conn.WriteToUDPAddrPort(p, from)
			}
		}
	}()
	return Resolver{
		Avahi: filepath.Join(t.TempDir(), "none"), Group: conn.LocalAddr().(*net.UDPAddr).AddrPort(),
		Interfaces: func() ([]net.Interface, error) {
			lo, err := net.InterfaceByIndex(1)
			if err != nil {
				return nil, err
			}
			return []net.Interface{*lo}, nil
		},
	}
}

func TestLookup(t *testing.T) {
	for name, c := range map[string]struct {
		lost int
		say  func(name string) [][]byte
		want []string
	}{
		"an address":              {0, func(n string) [][]byte { return [][]byte{answer(t, n, "10.9.0.1")} }, []string{"10.9.0.1"}},
		"in other letters":        {0, func(n string) [][]byte { return [][]byte{answer(t, strings.ToUpper(n), "10.9.0.1")} }, []string{"10.9.0.1"}},
		"the first question lost": {1, func(n string) [][]byte { return [][]byte{answer(t, n, "10.9.0.1")} }, []string{"10.9.0.1"}},
		"IPv4 first":              {0, func(n string) [][]byte { return [][]byte{answer(t, n, "2001:db8::1"), answer(t, n, "10.9.0.1")} }, []string{"10.9.0.1", "2001:db8::1"}},
		"IPv6 alone":              {0, func(n string) [][]byte { return [][]byte{answer(t, n, "fe80::1")} }, []string{"fe80::1%lo"}},
		"nonsense and another's": {0, func(n string) [][]byte {
			return [][]byte{{1, 2}, answer(t, "other.local", "10.9.0.9"), answer(t, n, "10.9.0.1")}
		}, []string{"10.9.0.1"}},
		"no answer to this at all": {9, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := responder(t, c.lost, c.say)
			if c.want == nil {
				r.Timeout = 700 * time.Millisecond
			}
			got, err := r.Lookup(t.Context(), "Hub.local")
			var text []string
			for _, a := range got {
				text = append(text, a.String())
			}
			if !slices.Equal(text, c.want) || c.want == nil && !errors.Is(err, ErrNotFound) {
				t.Errorf("got %v, %v, want %v", text, err, c.want)
			}
		})
	}
	if _, err := (Resolver{}).Lookup(t.Context(), "hub.local\nQUIT.local"); err == nil {
		t.Error("a name of two lines: no error")
	}
}

// A connection is opened to a name under .local, and to any other as before.
func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r := responder(t, 0, func(n string) [][]byte { return [][]byte{answer(t, n, "127.0.0.1")} })
	for _, host := range []string{"hub.local", "HUB.local.", "127.0.0.1", "localhost"} {
		conn, err := r.Dial(t.Context(), new(net.Dialer), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		conn.Close()
	}
}

// Avahi is asked where it runs.
func TestAvahi(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "avahi")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			if line == "RESOLVE-HOSTNAME-IPV4 hub.local\n" {
				fmt.Fprintln(conn, "+ 2 0 hub.local 10.9.0.1")
			} else {
				fmt.Fprintln(conn, "-15 Timeout reached")
			}
			conn.Close()
		}
	}()
	none := func() ([]net.Interface, error) { return nil, nil }
	r := Resolver{Avahi: sock, Interfaces: none}
	if got, err := r.Lookup(t.Context(), "hub.local"); err != nil || !slices.Equal(got, []netip.Addr{netip.MustParseAddr("10.9.0.1")}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := r.avahi(t.Context(), "attic.local"); err == nil {
		t.Errorf("a name that it does not know: %v", got)
	}
}

// Whatever comes as an answer does no harm.
func FuzzParse(f *testing.F) {
	f.Add(answer(f, "hub.local", "10.9.0.1", "fe80::1"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, a := range parse(packet, "hub.local", "lo") {
			if !a.IsValid() {
				t.Errorf("an address that is none: %v", a)
			}
		}
	})
}
