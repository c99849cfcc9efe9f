package brokerproxy

import "camqtt/internal/mqtt"

// maxConnect is the largest CONNECT that is held, in bytes. Larger ones are passed on as
// they are.
const maxConnect = 64 << 10

// connectReader collects the first packet of a browser until it is whole.
type connectReader struct {
	held    []byte
	done    bool
	version byte // of the protocol; 0 while it is not known
}

// add returns what can be passed on to the broker now: nothing while the first packet is
// incomplete, then that packet with credentials, and all that follows it unchanged.
func (c *connectReader) add(b []byte, user, password string) []byte {
	if c.done {
		return b
	}
	c.held = append(c.held, b...)
	size, remaining := mqtt.FixedHeader(c.held)
	n := size + remaining
	switch {
	case c.held[0]>>4 != mqtt.Connect, size == 0 && len(c.held) >= 5:
		c.done = true
		return c.held
	case size == 0 || len(c.held) < min(n, maxConnect):
		return nil
	}
	c.done = true
	n = min(n, len(c.held))
	first, rest := c.held[:n:n], c.held[n:]
	connect, bad := mqtt.ParseConnect(first[0], first[size:])
	c.version = connect.Version &^ 0x80 // known even if the rest is not; bridges set the highest bit
	if bad == nil && n == size+remaining {
		first = injectCredentials(first, connect, user, password)
	}
	return append(first, rest...)
}

// injectCredentials adds a user name and password to a CONNECT that has none.
func injectCredentials(packet []byte, c mqtt.ConnectPacket, user, password string) []byte {
	if user == "" || c.UserName != "" || c.Password != "" {
		return packet
	}
	if out, bad := mqtt.ReplaceCredentials(packet, user, password); bad == nil {
		return out
	}
	return packet
}
