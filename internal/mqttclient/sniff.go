package mqttclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

var (
	errSpeaksTLS  = errors.New("this port speaks TLS: want mqtts:// or wss:// in front of the address, or the broker's port without TLS")
	errSpeaksHTTP = errors.New("this port speaks HTTP: want ws:// or wss:// in front of the address, or the broker's MQTT port")
	errPlain      = errors.New("this port does not speak TLS: want mqtt:// or ws:// in front of the address, or the broker's TLS port, usually 8883")
)

// sniffConn tells by the first byte that the far side is no MQTT broker.
type sniffConn struct {
	net.Conn
	known bool
}

// Read fails when the first byte is of another protocol.
func (s *sniffConn) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if n == 0 || s.known {
		return n, err
	}
	s.known = true
	switch b[0] {
	case 0x15, 0x16: // RFC 8446 section 5.1: alert, handshake
		return 0, errSpeaksTLS
	case 'H':
		return 0, errSpeaksHTTP
	}
	return n, err
}

// NetConn returns the connection below.
func (s *sniffConn) NetConn() net.Conn { return s.Conn }

// explainDial says what an error of the network means, perhaps below TLS.
func explainDial(err error, secure bool) error {
	var (
		noTLS tls.RecordHeaderError
		name  *net.DNSError
		slow  net.Error
	)
	ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
	switch {
	case errors.As(err, &noTLS), secure && ended:
		return fmt.Errorf("%w (%w)", errPlain, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("the machine is there, but no program listens on this port (%w)", err)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Errorf("the machine cannot be reached: it is off, or in another network (%w)", err)
	case errors.As(err, &name):
		return fmt.Errorf("there is no machine of this name (%w)", err)
	case errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("the machine cannot be reached: it is off, or a firewall is between (%w)", err)
	}
	return err
}
