package testkit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
)

// FreePort returns a loopback port for a program that cannot be told to choose one
// itself, or that has to be found there again after a restart. Nobody else gets it
// until the test ends: it is none of those that the system gives to whoever asks for
// any, as listeners at port 0 and every outgoing connection do, and other tests that
// run at once, of this package or another, see that it is taken.
func FreePort(t testing.TB) int {
	t.Helper()
	low, high := portRange()
	for range 1000 {
		port := low + rand.N(high-low)
		claim, err := net.Listen("unix", claimOf(port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatalf("claim port %d: %v", port, err)
		}
		if !listenable(port) {
			claim.Close()
			continue
		}
		t.Cleanup(func() { claim.Close() })
		return port
	}
	t.Fatalf("no port from %d to %d is free", low, high-1)
	return 0
}

// claimOf is the socket that says that a port is taken. A name in the abstract space is
// no file: it goes with its process at the latest. unix(7)
func claimOf(port int) string { return fmt.Sprintf("@camqtt-test-port-%d", port) }

// portRange returns where FreePort looks, the second excluded: below the ports that
// the system gives away by itself, ip_local_port_range of ip-sysctl.rst.
func portRange() (low, high int) {
	low, high = 15_000, 32_000
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	var first, last int
	if _, bad := fmt.Sscan(string(text), &first, &last); err != nil || bad != nil {
		return low, high
	}
	switch {
	case first >= 4_000: // from 2,000 on no service of a usual machine is disturbed
		high = min(high, first)
		low = min(low, high-2_000)
	case last <= 63_000: // 1024 to something, say
		low, high = last+1, 65_000
	}
	return low, high
}

// listenable reports whether nobody has a port on loopback, by either protocol that
// "localhost" may stand for. Where there is no IPv6 nobody has it there.
func listenable(port int) bool {
	for _, host := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			return false
		}
		if err == nil {
			l.Close()
		}
	}
	return true
}
