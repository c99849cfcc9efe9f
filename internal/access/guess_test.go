package access_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/testkit/faketime"
)

// Tries of other secrets come out of what an address has for passwords, and come back
// with time or when they were right.
func TestGuess(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		a, err := access.Open(access.Options{})
		if err != nil {
			t.Fatal(err)
		}
		from := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 1} }
		guess := func(ip string, right bool) error {
			t.Helper()
			giveBack, err := a.Guess(from(ip))
			if err == nil && right {
				giveBack()
			}
			return err
		}
		for range 20 {
			if err := guess("192.0.2.1", true); err != nil {
				t.Fatalf("right ones: %v", err)
			}
		}
		for range 5 {
			if err := guess("192.0.2.1", false); err != nil {
				t.Fatalf("five wrong ones: %v", err)
			}
		}
		var slow *access.Slow
		if err := guess("192.0.2.1", true); !errors.As(err, &slow) || slow.After <= 0 || slow.After > 12*time.Second {
			t.Errorf("the sixth: %v", err)
		}
		if err := guess("192.0.2.2", true); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
		time.Sleep(13 * time.Second)
		if err := guess("192.0.2.1", false); err != nil {
			t.Errorf("a while later: %v", err)
		}
		for i := range 5 { // one household of IPv6, however many addresses it has
			if err := guess(net.IP{0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, byte(i)}.String(), false); err != nil {
				t.Fatal(err)
			}
		}
		if err := guess("2001:db8:0:1::ffff", false); !errors.As(err, &slow) {
			t.Errorf("another address of the same /64: %v", err)
		}
	})
}
