package mqttclient

import (
	"bytes"
	"net"
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
		d, lost := newDirect(wrap(ours), func(error) {}), make(chan struct{})
		ended := make(chan struct{})
		go func() { defer close(ended); d.serve(lost) }() // ends with lost, below
		for _, m := range []wire.Message{
			{Topic: "cam/porch/frame", Head: []byte("head of "), Payload: bytes.Repeat([]byte("a picture "), 30_000)},
			{Topic: "cam/porch/preview", Payload: []byte("x"), Retained: true},
			{Topic: "t"},
		} {
			o := outgoing{m, make(chan error, 1)}
			d.todo <- o
			got, err := packets.ReadPacket(theirs)
			if err != nil {
				t.Fatal(err)
			}
			p, ok := got.(*packets.PublishPacket)
			if !ok || p.TopicName != m.Topic || p.Retain != m.Retained || p.Qos != 0 || !bytes.Equal(p.Payload, payload(m)) || len(p.Payload) != m.Size() {
				t.Errorf("%s: %s came as %v", name, m.Topic, got)
			}
			if err := <-o.done; err != nil {
				t.Error(err)
			}
		}
		theirs.Close()
		o := outgoing{wire.Message{Topic: "t"}, make(chan error, 1)}
		d.todo <- o
		if err := <-o.done; err == nil {
			t.Errorf("%s: no error on a closed connection", name)
		}
		close(lost)
		<-ended
	}
}
