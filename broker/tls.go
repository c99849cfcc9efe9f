package broker

import (
	"crypto/tls"
	"net"

	"camqtt/broker/internal/sendqueue"
)

// NewTLSListener is [tls.NewListener] for [Options].Listeners and for connections given to
// [Broker.Attach]: the TLS records of one packet leave in one system call.
func NewTLSListener(l net.Listener, conf *tls.Config) net.Listener {
	return sendqueue.NewTLSListener(l, conf)
}
