package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"camqtt/internal/redact"
)

func webOrigin(s string) (any, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.Scheme+"://"+u.Host != s || strings.ContainsAny(u.Host, "*,") {
		return nil, fmt.Errorf("%.60q: want scheme and host only, such as https://home.example", redact.Template(s))
	}
	return strings.ToLower(s), nil // as browsers write it
}

// hostName takes a name without anything around it.
func hostName(s string) (any, error) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	if name == "" || len(name) > 253 || strings.Contains(name, "..") ||
		strings.IndexFunc(name, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", r) }) >= 0 {
		return nil, fmt.Errorf("%.60q: want a host name only, such as cams.example", redact.Template(s))
	}
	return name, nil
}

// proxy takes an address, a network or the word loopback.
func proxy(s string) (any, error) {
	network, err := netip.ParsePrefix(s)
	ip, ipErr := netip.ParseAddr(s)
	switch {
	case s == "loopback":
		return s, nil
	case err == nil:
		return network.Masked().String(), nil
	case ipErr == nil && ip.Zone() == "":
		return ip.Unmap().String(), nil
	}
	return nil, fmt.Errorf("%.60q: want an address such as 192.0.2.1, a network such as 172.16.0.0/12, or loopback", redact.Template(s))
}

// pageURL takes the address of a web page that people are sent to.
func pageURL(s string) (any, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, fmt.Errorf("%.60q: want http or https and a host, such as https://cams.example", redact.Template(s))
	case u.User != nil:
		return nil, errors.New("holds a user or a password, which everybody would see: want the address alone")
	case strings.ContainsAny(s, "?#"):
		return nil, fmt.Errorf("%.60q: want an address without ? and #", redact.Template(s))
	}
	return s, nil
}
