package connlimit

import (
	"net"
	"testing"
	"time"
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

// One address, or one /64, holds a quarter of the connections. Idle ones make room for a
// new one of the same address; while requests are served on all of them, a new one is
// refused. This machine is exempt: a proxy on it speaks for others.
func TestConnectionsOfOneAddress(t *testing.T) {
	limit := New(8)
	for name, c := range map[string]struct {
		first, second, third string
		busy, out            bool // requests are served; the first makes room
		refused              bool
	}{
		"one address":       {"192.0.2.7", "192.0.2.7", "192.0.2.7", false, true, false},
		"one address, busy": {"192.0.2.7", "192.0.2.7", "192.0.2.7", true, false, true},
		"one of three":      {"192.0.2.7", "192.0.2.7", "192.0.2.8", true, false, false},
		"one /64":           {"2001:db8::1", "2001:db8::2", "2001:db8::3", true, false, true},
		"two /64":           {"2001:db8::1", "2001:db8::2", "2001:db8:0:1::3", true, false, false},
		"mapped":            {"192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7", true, false, true},
		"this machine":      {"127.0.0.1", "127.0.0.1", "127.0.0.1", true, false, false},
	} {
		all := []*caller{{from: c.first}, {from: c.second}, {from: c.third}}
		for _, v := range all {
			if out, _ := limit.Open(v, time.Now()); out != nil {
				_ = out.Close()
			}
			if c.busy {
				limit.SetServing(v, true, time.Now())
			}
		}
		if refused := limit.IsRefused(all[2]); all[0].closed != c.out || refused != c.refused {
			t.Errorf("%s: the first is closed %v, the third refused %v; want %v and %v",
				name, all[0].closed, refused, c.out, c.refused)
		}
		for _, v := range all {
			limit.Close(v)
		}
	}
	if n := len(limit.from) + len(limit.all) + limit.refused; n != 0 {
		t.Errorf("%d are counted after all have left", n)
	}
}
