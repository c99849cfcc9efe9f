package link

import (
	"fmt"
	"net"
	"net/url"

	"camqtt/internal/redact"
)

// ParseURL checks a broker's address. It understands mqtt and tcp (port 1883
// unless given), mqtts, ssl and tls (8883), ws (80) and wss (443) with the path
// /mqtt unless given, and unix with the path of a socket.
func ParseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("broker URL %q: want such as mqtt://127.0.0.1:1883", redact.Address(s))
	}
	port := map[string]string{
		"mqtt": "1883", "tcp": "1883", "mqtts": "8883", "ssl": "8883", "tls": "8883",
		"ws": "80", "wss": "443", "unix": "",
	}
	p, known := port[u.Scheme]
	switch {
	case !known:
		return nil, fmt.Errorf("broker URL %q: unknown scheme %q: want mqtt, mqtts, ws, wss or unix, such as mqtt://127.0.0.1:1883", redact.Address(s), u.Scheme)
	case u.Scheme == "unix":
		if u.Path == "" {
			return nil, fmt.Errorf("broker URL %q: want a path such as unix:///run/camqtt.sock", redact.Address(s))
		}
		return u, nil
	case u.Hostname() == "":
		return nil, fmt.Errorf("broker URL %q: no host: want such as %s://127.0.0.1:%s", redact.Address(s), u.Scheme, p)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), p)
	}
	if (u.Scheme == "ws" || u.Scheme == "wss") && u.Path == "" {
		u.Path = "/mqtt"
	}
	return u, nil
}

// secure reports whether connections to u are encrypted by TLS.
func secure(u *url.URL) bool {
	switch u.Scheme {
	case "mqtts", "ssl", "tls", "wss":
		return true
	}
	return false
}
