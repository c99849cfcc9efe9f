package broker

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/testkit"

	"github.com/mochi-mqtt/server/v2/packets"
)

// writesOn sends packets without reading until it is told to stop, and returns why a
// write failed.
func writesOn(c net.Conn, packet []byte, stop chan struct{}) error {
	all := bytes.Repeat(packet, 1000)
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		_ = c.SetWriteDeadline(time.Now().Add(testkit.Patience))
		if _, err := c.Write(all); err != nil {
			return err
		}
	}
}

// A client that ignores Receive Maximum and writes on can read why its connection ends,
// and its writes meet no reset before it has.
func TestReasonReachesClientThatWrites(t *testing.T) {
	cert, pool := certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, Options{Listeners: []net.Listener{NewTLSListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})}})
	for _, secure := range []bool{false, true} {
		c := dial(t, b.addr)
		if secure {
			conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "localhost"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			c = newClient(conn)
		}
		c.joins(t, "greedy", 5)
		var all bytes.Buffer
		for i := range receiveMaximum + 500 {
			p, err := encode(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 2}, TopicName: "t", PacketID: uint16(i + 1)}, 5)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(p)
		}
		stop, failed := make(chan struct{}), make(chan error, 1)
		if _, err := c.c.Write(all.Bytes()); err != nil {
			t.Fatalf("TLS %v: %v", secure, err)
		}
		go func() { failed <- writesOn(c.c, []byte{packets.Pingreq << 4, 0}, stop) }() // ends with stop
		if pk := c.want(t, packets.Disconnect); pk.ReasonCode != packets.ErrReceiveMaximum.Code {
			t.Errorf("TLS %v: DISCONNECT %#x, wanted 0x93", secure, pk.ReasonCode)
		}
		close(stop)
		if err := <-failed; err != nil {
			t.Errorf("TLS %v: a write failed before the reason was read: %v", secure, err)
		}
	}
}

// A refused CONNECT is answered also when the client has sent more behind it, and an old
// client sees the end of its connection, no reset.
func TestRefusalReachesClientThatWrites(t *testing.T) {
	b := start(t, Options{Limits: Limits{ClientIDBytes: 5}})
	c := dial(t, b.addr)
	p, err := encode(connectPacket("too-long", 4), 4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.c.Write(append(p, bytes.Repeat([]byte{packets.Pingreq << 4, 0}, 5000)...)); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c.r)
	if errors.Is(err, syscall.ECONNRESET) || !bytes.Equal(got, []byte{packets.Connack << 4, 2, 0, 2}) {
		t.Errorf("got % x, %v; wanted CONNACK with 2 and the end", got, err)
	}
	old := join(t, b.addr, "old", 4)
	if _, err := old.c.Write(append([]byte{packets.Pubrel << 4, 2, 0, 1}, bytes.Repeat([]byte{packets.Pingreq << 4, 0}, 5000)...)); err != nil {
		t.Fatal(err)
	}
	_ = old.c.SetReadDeadline(time.Now().Add(testkit.Patience))
	if got, err := io.ReadAll(old.r); err != nil || len(got) != 0 {
		t.Errorf("after a wrong packet: % x, %v; wanted the end", got, err)
	}
}
