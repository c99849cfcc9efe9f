package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"camqtt/internal/brokerurl"
	"camqtt/internal/cert"
	"camqtt/internal/redact"
	"camqtt/internal/wire"
)

// text takes anything that fits on one line.
func text(s string) (any, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("is not UTF-8: want plain text")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return nil, errors.New("has a control character or a line break in it: want one line of plain text")
	}
	return s, nil
}

// optional lets a key be "" besides what parse takes.
func optional(parse func(string) (any, error)) func(string) (any, error) {
	return func(s string) (any, error) {
		if s == "" {
			return "", nil
		}
		return parse(s)
	}
}

func oneOf(words ...string) func(string) (any, error) {
	want := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	return func(s string) (any, error) {
		for _, w := range words {
			if s == w {
				return s, nil
			}
		}
		if near := closest(s, words); near != "" {
			return nil, fmt.Errorf("%.40q: want %s (did you mean %s?)", s, want, near)
		}
		return nil, fmt.Errorf("%.40q: want %s", s, want)
	}
}

// commandQoS takes 0 or 1: at 2 the sender would wait for more than anybody reads.
func commandQoS(s string) (any, error) {
	switch s {
	case "0":
		return 0, nil
	case "1":
		return 1, nil
	}
	return nil, fmt.Errorf("%.40q: want 0 or 1", s)
}

// listen takes host:port as net.Listen does, but for named ports.
func listen(s string) (any, error) {
	host, port, err := net.SplitHostPort(s)
	n, numErr := strconv.ParseUint(port, 10, 16)
	bad := strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/?#@"\`, r) })
	if err != nil || numErr != nil || bad {
		return nil, fmt.Errorf("%.60q: want host:port such as 127.0.0.1:1883", s)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

// isLoopback reports whether only this machine reaches an address that listen
// has taken.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// domain takes a name that a public authority can check: no address, no wildcard.
func domain(s string) (any, error) {
	labels := strings.Split(strings.ToLower(s), ".")
	ok := len(labels) > 1 && len(s) <= 253 // RFC 1035 section 2.3.4
	for _, l := range labels {
		ok = ok && l != "" && len(l) <= 63 && strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" &&
			l[0] != '-' && l[len(l)-1] != '-'
	}
	if _, err := netip.ParseAddr(s); err == nil || !ok {
		return nil, fmt.Errorf("%.60q: want a whole name such as cams.example.org, without *", s)
	}
	return strings.ToLower(s), nil
}

// whereabouts takes a host, with or without a port, that other machines can dial.
func whereabouts(s string) (any, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.Trim(s, "[]"), "1"
	}
	n, portErr := strconv.ParseUint(port, 10, 16)
	_, ipErr := netip.ParseAddr(host)
	plain := strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" && strings.Trim(host, "-.") != ""
	if portErr != nil || n == 0 || len(host) > 253 || ipErr != nil && !plain {
		return nil, fmt.Errorf("%.60q: want a host such as hub.example, or with a port hub.example:8883", s)
	}
	return s, nil
}

func email(s string) (any, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return nil, fmt.Errorf("%.60q: want an address such as you@example.org", s)
	}
	return s, nil
}

func httpsURL(s string) (any, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, fmt.Errorf("%.60q: want such as https://ca.example/acme/acme/directory", redact.Template(s))
	}
	return s, nil
}

// pin takes a pin and gives it in the form that camqtt key prints.
func pin(s string) (any, error) {
	p, err := cert.ParsePin(s)
	if err != nil {
		return nil, err
	}
	return p.String(), nil
}

// brokerURL takes what the MQTT connection understands. A host alone becomes a URL.
func brokerURL(s string) (any, error) {
	u, err := brokerurl.Parse(s)
	switch {
	case err != nil:
		return nil, errors.Unwrap(err) // without the address, whose place is told
	case strings.Contains(s, "://"):
		return s, nil
	}
	return u.String(), nil
}

// isTLS reports whether a URL that brokerURL has taken is of an encrypted
// connection.
func isTLS(address string) bool {
	u, err := brokerurl.Parse(address)
	return err == nil && brokerurl.Secure(u)
}

// hasUser reports whether a URL that brokerURL has taken names a user.
func hasUser(brokerURL string) bool {
	u, err := url.Parse(brokerURL)
	return err == nil && u.User.Username() != ""
}

// MQTT's limit of a password, in bytes [MQTT-1.5.3].
const maxPassword = 65535

func password(s string) (any, error) {
	switch {
	case s == redact.Mask:
		return nil, errors.New("*** stands for a password that was hidden: want the password itself, or password_file")
	case len(s) > maxPassword:
		return nil, fmt.Errorf("has %d bytes: want at most %d", len(s), maxPassword)
	}
	return Secret(s), nil
}

func base(s string) (any, error) {
	b, err := wire.ParseBase(s)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// topicPrefix follows the rules of the base, which Home Assistant and every
// broker can live with.
func topicPrefix(s string) (any, error) {
	if _, err := wire.ParseBase(s); err != nil || s == "" {
		return nil, fmt.Errorf("%.60q: want words of a-z A-Z 0-9 _ - with slashes between", s)
	}
	return s, nil
}

func cameraID(s string) (any, error) {
	id, err := wire.ParseID(s)
	if err != nil {
		return nil, err
	}
	return id, nil
}

func displayName(s string) (any, error) {
	name, err := wire.ParseName(s)
	if err != nil {
		return nil, err
	}
	return name, nil
}

func size(s string) (any, error) {
	if s == "" {
		return wire.Size{}, nil
	}
	v, err := wire.ParseSize(s)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func fps(s string) (any, error) {
	v, err := wire.ParseFPS(s)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func quality(s string) (any, error) {
	if s == "0" {
		return 0, nil
	}
	v, err := wire.ParseQuality(s)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func yesNo(s string) (any, error) {
	v, err := wire.ParseBool(s)
	if err != nil {
		return nil, fmt.Errorf("%.40q: want true or false", s)
	}
	return v, nil
}

// duration takes what wire takes but for bare numbers: who writes 15 may mean
// minutes.
func duration(s string) (time.Duration, error) {
	if n, err := strconv.ParseFloat(s, 64); err == nil && n != 0 {
		return 0, fmt.Errorf("duration %.40q has no unit: want such as 500ms, 10s, 15m or 1h30m", s)
	}
	return wire.ParseDuration(s)
}

// anySpan takes 0 to 24 h.
func anySpan(s string) (any, error) {
	d, err := duration(s)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// spanOrZero takes 0, or 1 s to 24 h.
func spanOrZero(s string) (any, error) {
	d, err := duration(s)
	if err == nil && d > 0 && d < time.Second {
		err = fmt.Errorf("duration %.40q: want 0 or 1s to 24h", s)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// span takes 1 s to 24 h.
func span(s string) (any, error) {
	d, err := duration(s)
	if err == nil && d < time.Second {
		err = fmt.Errorf("duration %.40q: want 1s to 24h", s)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Limits of max_image_bytes: what no picture is below, and what sources let
// through at most.
const leastImage, mostImage = 1000, 8 << 20

// mostBytes is the largest packet that MQTT has. [MQTT-2.2.3]
const mostBytes = 256<<20 - 1

// whole takes a whole number, in which "_" may stand between digits.
func whole(least, most int) func(string) (any, error) {
	return func(s string) (any, error) {
		n, err := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("%.40q: want a whole number from %d to %d", s, least, most)
		}
		return n, nil
	}
}

// keepalive takes 1 s to what fits into MQTT's two bytes of seconds.
func keepalive(s string) (any, error) {
	d, err := duration(s)
	if err == nil && (d < time.Second || d > 65535*time.Second) {
		err = fmt.Errorf("duration %.40q: want 1s to 65535s", s)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func imageBytes(s string) (any, error) {
	n, err := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
	if err != nil || n < leastImage || n > mostImage {
		return nil, fmt.Errorf("%.40q: want a whole number of bytes from %d to %d", s, leastImage, mostImage)
	}
	return n, nil
}
