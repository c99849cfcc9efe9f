package dashboard

import (
	"net"
	"net/http"
	"testing"
)

// caller is a connection from somewhere, which notes that it was closed.
type caller struct {
	net.Conn
	from   string
	closed bool
}

func (v *caller) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(v.from), Port: 4000} }

func (v *caller) Close() error {
	v.closed = true
	return nil
}

// One address, or one /64, cannot hold all connections; this machine can, for a proxy
// on it speaks for others.
func TestConnectionsOfOneAddress(t *testing.T) {
	d := serve(t, Options{Limits: Limits{Connections: 8}}).Dashboard
	come := func(from string) *caller {
		v := &caller{from: from}
		d.follow(v, http.StateNew)
		return v
	}
	leave := func(all ...*caller) {
		for _, v := range all {
			d.follow(v, http.StateClosed)
		}
	}
	for name, c := range map[string]struct {
		first, second, third string
		room                 bool
	}{
		"one address":  {"192.0.2.7", "192.0.2.7", "192.0.2.7", false},
		"one of three": {"192.0.2.7", "192.0.2.7", "192.0.2.8", true},
		"one /64":      {"2001:db8::1", "2001:db8::2", "2001:db8::3", false},
		"two /64":      {"2001:db8::1", "2001:db8::2", "2001:db8:0:1::3", true},
		"mapped":       {"192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7", false},
		"this machine": {"127.0.0.1", "127.0.0.1", "127.0.0.1", true},
	} {
		one, two, three := come(c.first), come(c.second), come(c.third)
		if one.closed || two.closed || three.closed == c.room {
			t.Errorf("%s: closed %v, %v, %v, want the third: %v", name, one.closed, two.closed, three.closed, !c.room)
		}
		leave(one, two, three)
	}
	if n := len(d.crowd.from); n != 0 {
		t.Errorf("%d addresses are remembered after all have left", n)
	}
	again := come("192.0.2.7")
	defer leave(again)
	if again.closed {
		t.Error("there is no room again")
	}
}
