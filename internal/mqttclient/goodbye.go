package mqttclient

import (
	"net"

	"camqtt/internal/wire"
)

// close says goodbye, so that the broker drops the will, and closes the socket. Who
// leaves with something unsaid leaves without a word: a camera whose last message, that
// it is offline, did not get through would be online at the broker for ever.
func (s *session) close() {
	if !s.owes.Load() {
		s.client.Disconnect(250)
	}
	s.conn.Close()
	s.end(net.ErrClosed)
	<-s.acked
}

// heed notes what has become of messages: one that was to be acknowledged and was not is
// owed, until something has been said where the will would be.
func (s *session) heed(will *wire.Message, msgs []wire.Message, err error) {
	for _, m := range msgs {
		switch {
		case will == nil || m.QoS == 0:
		case err != nil:
			s.owes.Store(true)
		case m.Topic == will.Topic:
			s.owes.Store(false)
		}
	}
}
