package mqttclient

import (
	"bytes"
	"errors"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"camqtt/internal/wire"
)

// TestDirect reads with the client's own reader what is written past it.
func TestDirect(t *testing.T) {
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"in pieces": func(c net.Conn) net.Conn { return newPulse(c, time.Minute, 0) },
		"in one":    func(c net.Conn) net.Conn { return c },
	} {
		ours, theirs := net.Pipe()
		d := newDirect(wrap(ours), func(error) {})
		for _, m := range []wire.Message{
			{Topic: "cam/porch/frame", Head: []byte("head of "), Payload: bytes.Repeat([]byte("a picture "), 30_000)},
			{Topic: "cam/porch/preview", Payload: []byte("x"), Retained: true},
			{Topic: "t"},
		} {
			done := written(t, d, m)
			got, err := packets.ReadPacket(theirs)
			if err != nil {
				t.Fatal(err)
			}
			p, ok := got.(*packets.PublishPacket)
			if !ok || p.TopicName != m.Topic || p.Retain != m.Retained || p.Qos != 0 || !bytes.Equal(p.Payload, payload(m)) || len(p.Payload) != m.Size() {
				t.Errorf("%s: %s came as %v", name, m.Topic, got)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		theirs.Close()
		if err := <-written(t, d, wire.Message{Topic: "t"}); err == nil {
			t.Errorf("%s: no error on a closed connection", name)
		}
	}
}

// written writes a message and returns where the outcome comes.
func written(t *testing.T, d *direct, m wire.Message) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	finish, err := d.begin(publishPacket(m))
	if finish == nil {
		done <- err
		return done
	}
	go func() { done <- finish() }() // ends when the message has been read, or the pipe is closed
	return done
}

// TestDirectSocket writes to a socket: what it takes at once leaves without another
// goroutine, and the rest of a picture that it does not take follows.
func TestDirectSocket(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ours, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	p := newPulse(ours, time.Minute, 0)
	d := newDirect(&sniffConn{Conn: p}, func(error) {})
	small := wire.Message{Topic: "t", Head: []byte("small "), Payload: []byte("picture")}
	large := wire.Message{Topic: "t", Head: []byte("large "), Payload: bytes.Repeat([]byte("picture "), 8<<20)}
	if finish, err := d.begin(publishPacket(small)); runtime.GOOS == "linux" && (finish != nil || err != nil) {
		t.Errorf("a small message did not leave at once: %v", err)
	}
	done := written(t, d, large)
	ping := make(chan error, 1)
	go func() { // ends when the ping has left
		_, err := p.Write([]byte{packets.Pingreq << 4, 0})
		ping <- err
	}()
	for _, m := range []wire.Message{small, large} {
		got, err := packets.ReadPacket(theirs)
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := got.(*packets.PublishPacket); !ok || !bytes.Equal(p.Payload, payload(m)) {
			t.Errorf("a message of %d bytes came as %.80v", m.Size(), got)
		}
	}
	if got, err := packets.ReadPacket(theirs); err != nil || got.Details() != (&packets.PingreqPacket{}).Details() {
		t.Errorf("behind the picture came %v, %v", got, err)
	}
	if err := errors.Join(<-done, <-ping); err != nil {
		t.Error(err)
	}
	ours.Close()
	if err := <-written(t, d, small); err == nil {
		t.Error("no error on a closed connection")
	}
}
