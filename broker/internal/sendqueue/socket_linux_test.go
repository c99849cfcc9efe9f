package sendqueue

import (
	"io"
	"net"
	"testing"
	"time"

	"camqtt/internal/testkit"
)

// Room that came before anybody waits for it is noticed: the kernel says so once only,
// and that was before.
func TestRoomThatCameEarlier(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	a := newSocket(near.(*net.TCPConn))
	_ = near.SetWriteDeadline(time.Now().Add(testkit.Patience))
	_ = far.SetReadDeadline(time.Now().Add(testkit.Patience))
	for range 5 {
		sent := int64(0)
		for {
			n, err := a.write([3][]byte{make([]byte, 1<<20)})
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			sent += int64(n)
		}
		if _, err := io.CopyN(io.Discard, far, sent); err != nil {
			t.Fatal(err)
		}
		if err := a.ready(); err != nil {
			t.Fatalf("the line is empty, but it was waited for room: %v", err)
		}
	}
}
