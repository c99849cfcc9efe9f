package testkit

import (
	"fmt"
	"net"
	"os"
	"testing"
)

// Ports are given once, are none that the system gives to others, and come back when
// their test ends.
func TestFreePort(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Fatal(err)
	}
	var first, last int
	if _, err := fmt.Sscan(string(text), &first, &last); err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	t.Run("given", func(t *testing.T) {
		for range 200 {
			port := FreePort(t)
			if seen[port] {
				t.Fatalf("port %d is given twice", port)
			}
			if port >= first && port <= last && first >= 4_000 {
				t.Fatalf("port %d is one of %d to %d, which the system gives to others", port, first, last)
			}
			seen[port] = true
		}
		for port := range seen {
			if l, err := net.Listen("unix", claimOf(port)); err == nil {
				l.Close()
				t.Fatalf("port %d is not claimed", port)
			}
		}
	})
	back := 0 // others may have chosen some of them by now
	for port := range seen {
		if l, err := net.Listen("unix", claimOf(port)); err == nil {
			l.Close()
			back++
		}
	}
	if back < len(seen)/2 {
		t.Errorf("%d of %d ports came back when their test had ended", back, len(seen))
	}
}

// A port that somebody has is none, whatever the protocol.
func TestTakenPortIsNotFree(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Logf("no %s here: %v", host, err)
			continue
		}
		if listenable(l.Addr().(*net.TCPAddr).Port) {
			t.Errorf("%s counts as free", l.Addr())
		}
		l.Close()
	}
}
