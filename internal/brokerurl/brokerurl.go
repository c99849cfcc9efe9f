// Package brokerurl reads the addresses of brokers as people write them. Its errors show
// no password, also of what is no URL.
package brokerurl

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"camqtt/internal/redact"
)

const example = "such as mqtt://127.0.0.1:1883"

// Words takes several addresses apart, with blanks or commas between.
func Words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == ',' })
}

// Parse checks an address and completes it. It understands mqtt and tcp (port 1883 unless
// given), mqtts, ssl and tls (8883), ws (80) and wss (443) with the path /mqtt unless
// given, and unix with the path of a socket. Without a scheme it is mqtt, so that host,
// host:1884 and user:password@host will do.
func Parse(s string) (*url.URL, error) {
	u, err := parse(s)
	if err != nil {
		return nil, fmt.Errorf("broker %q: %w", redact.Address(s), err)
	}
	return u, nil
}

// defaultPort is the port of a scheme; false: there is no such scheme.
func defaultPort(scheme string) (port string, known bool) {
	switch scheme {
	case "mqtt", "tcp":
		return "1883", true
	case "mqtts", "ssl", "tls":
		return "8883", true
	case "ws":
		return "80", true
	case "wss":
		return "443", true
	case "unix":
		return "", true
	}
	return "", false
}

func parse(s string) (*url.URL, error) {
	full, err := withScheme(s)
	if err != nil {
		return nil, err
	}
	if strings.Contains(full, ":"+redact.Mask+"@") {
		return nil, errors.New("*** stands for a password that was hidden: want the password itself, or password_file")
	}
	u, err := url.Parse(full)
	if err != nil {
		return nil, errors.New("not a URL: want such as mqtt://host:1883, with %40 for an @ and %2F for a / in a password")
	}
	port, known := defaultPort(u.Scheme)
	switch {
	case !known:
		return nil, fmt.Errorf("unknown scheme %.20q: want mqtt, mqtts, ws, wss or unix, %s", u.Scheme, example)
	case u.Scheme == "unix" && u.Path == "":
		return nil, errors.New("no path: want such as unix:///run/camqtt.sock")
	case u.Scheme == "unix":
		return u, nil
	case u.Hostname() == "":
		return nil, fmt.Errorf("no host: want such as %s://127.0.0.1:%s", u.Scheme, port)
	}
	if given := u.Port(); given != "" {
		if n, err := strconv.ParseUint(given, 10, 16); err != nil || n == 0 {
			return nil, errors.New("the port is not a number from 1 to 65535")
		}
		port = given
	}
	u.Host = net.JoinHostPort(u.Hostname(), port)
	if (u.Scheme == "ws" || u.Scheme == "wss") && u.Path == "" {
		u.Path = "/mqtt"
	}
	return u, nil
}

// withScheme completes an address without a scheme.
func withScheme(s string) (string, error) {
	if strings.Contains(s, "://") {
		return s, nil
	}
	if scheme, rest, ok := strings.Cut(s, ":"); ok && strings.HasPrefix(rest, "/") {
		if _, known := defaultPort(scheme); known {
			return "", fmt.Errorf("two slashes are missing: want %s://HOST", scheme)
		}
	}
	host := s[strings.LastIndexByte(s, '@')+1:]
	if host == "" || strings.ContainsAny(s, "/?#") {
		return "", fmt.Errorf("not a host with or without a port: want host, host:1883, or a URL %s", example)
	}
	if strings.Count(host, ":") > 1 && !strings.HasPrefix(host, "[") { // IPv6
		s = s[:len(s)-len(host)] + "[" + host + "]"
	}
	return "mqtt://" + s, nil
}

// Secure reports whether connections to u are encrypted by TLS.
func Secure(u *url.URL) bool {
	switch u.Scheme {
	case "mqtts", "ssl", "tls", "wss":
		return true
	}
	return false
}
