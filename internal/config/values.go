package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
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
func text(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errors.New("is not UTF-8: want plain text")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", errors.New("has a control character or a line break in it: want one line of plain text")
	}
	return s, nil
}

func oneOf(words ...string) func(string) (string, error) {
	want := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	return func(s string) (string, error) {
		if slices.Contains(words, s) {
			return s, nil
		}
		if near := closest(s, words); near != "" {
			return "", fmt.Errorf("%.40q: want %s (did you mean %s?)", s, want, near)
		}
		return "", fmt.Errorf("%.40q: want %s", s, want)
	}
}

// labelName takes the name of a label: it is shown, sorted by and searched for.
func labelName(s string) (string, error) {
	if len(s) > 32 || s == "" || s != strings.ToLower(s) || !consistsOf(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") {
		return "", fmt.Errorf("label %.40q: want a name of 1 to 32 of a-z 0-9 _ -, such as room", s)
	}
	return s, nil
}

func labelValue(s string) (string, error) {
	v, err := wire.ParseName(s)
	if err != nil {
		return "", fmt.Errorf("%.80q: want 1 to 64 printable characters", s)
	}
	return v, nil
}

func yesNo(s string) (bool, error) {
	v, err := wire.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%.40q: want true or false", s)
	}
	return v, nil
}

// whole takes a whole number, in which "_" may stand between digits.
func whole(least, most int) func(string) (int, error) {
	return wholeOf("", least, most)
}

func wholeOf(unit string, least, most int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("%.40q: want a whole number%s from %d to %d", s, unit, least, most)
		}
		return n, nil
	}
}

// commandQoS takes 0 or 1: QoS 2 would only delay commands.
func commandQoS(s string) (int, error) {
	if s != "0" && s != "1" {
		return 0, fmt.Errorf("%.40q: want 0 or 1", s)
	}
	return strconv.Atoi(s)
}

func quality(s string) (int, error) {
	if s == "0" {
		return 0, nil
	}
	return wire.ParseQuality(s)
}

// mostBytes is the largest packet that MQTT has. [MQTT-2.2.3]
const mostBytes = 256<<20 - 1

// imageBytes takes the size of a picture: no JPEG is smaller than the least, and sources
// refuse larger ones than the most.
func imageBytes(s string) (int, error) { return wholeOf(" of bytes", 1000, 8<<20)(s) }

// duration takes 0 to 24 h. A number without a unit is refused: 15 may mean minutes.
func duration(s string) (time.Duration, error) {
	if n, err := strconv.ParseFloat(s, 64); err == nil && n != 0 {
		return 0, fmt.Errorf("duration %.40q has no unit: want such as 500ms, 10s, 15m or 1h30m", s)
	}
	return wire.ParseDuration(s)
}

func durationIf(s, want string, good func(time.Duration) bool) (time.Duration, error) {
	d, err := duration(s)
	if err == nil && !good(d) {
		err = fmt.Errorf("duration %.40q: want %s", s, want)
	}
	return d, err
}

func period(s string) (time.Duration, error) {
	return durationIf(s, "1s to 24h", func(d time.Duration) bool { return d >= time.Second })
}

func periodOrNone(s string) (time.Duration, error) {
	return durationIf(s, "0 or 1s to 24h", func(d time.Duration) bool { return d == 0 || d >= time.Second })
}

// keepalive takes what fits into the two bytes of seconds in MQTT's CONNECT.
func keepalive(s string) (time.Duration, error) {
	return durationIf(s, "1s to 65535s", func(d time.Duration) bool { return d >= time.Second && d <= 65535*time.Second })
}

// Settle is the longest time for which the first pictures of a camera are left out until
// its exposure is steady; 0 leaves out none. A negative value, "auto", leaves it to the
// kind of source.
type Settle time.Duration

const settleAuto Settle = -1

// String is how it is written in YAML.
func (s Settle) String() string {
	if s < 0 {
		return "auto"
	}
	return shortDuration(time.Duration(s))
}

// MarshalYAML writes it as String does.
func (s Settle) MarshalYAML() (any, error) { return s.String(), nil }

func settle(s string) (Settle, error) {
	if s == "auto" {
		return settleAuto, nil
	}
	d, err := durationIf(s, "auto, or 0 to 10s", func(d time.Duration) bool { return d <= 10*time.Second })
	return Settle(d), err
}

// listen takes host:port as net.Listen does, but no names of ports.
func listen(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	n, numErr := strconv.ParseUint(port, 10, 16)
	bad := strings.ContainsFunc(host, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`/?#@"\`, r)
	})
	if err != nil || numErr != nil || bad {
		return "", fmt.Errorf("%.60q: want host:port such as 127.0.0.1:1883", s)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

const hostBytes = "abcdefghijklmnopqrstuvwxyz0123456789-."

// consistsOf reports whether s has only bytes of a set, in capital or small letters.
func consistsOf(s, set string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !strings.ContainsRune(set, unicode.ToLower(r))
	})
}

// domain takes a name that a public authority can check: no address, no wildcard.
func domain(s string) (string, error) {
	labels := strings.Split(strings.ToLower(s), ".")
	ok := len(labels) > 1 && len(s) <= 253 && consistsOf(s, hostBytes) // RFC 1035 section 2.3.4
	for _, l := range labels {
		ok = ok && l != "" && len(l) <= 63 && l[0] != '-' && l[len(l)-1] != '-'
	}
	if _, err := netip.ParseAddr(s); err == nil || !ok {
		return "", fmt.Errorf("%.60q: want a whole name such as cams.example.org, without *", s)
	}
	return strings.ToLower(s), nil
}

// dialHost takes a host, with or without a port, that other machines can dial.
func dialHost(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.Trim(s, "[]"), "1"
	}
	n, portErr := strconv.ParseUint(port, 10, 16)
	_, ipErr := netip.ParseAddr(host)
	isName := consistsOf(host, hostBytes) && strings.Trim(host, "-.") != ""
	if portErr != nil || n == 0 || len(host) > 253 || ipErr != nil && !isName {
		return "", fmt.Errorf("%.60q: want a host such as hub.example, or with a port hub.example:8883", s)
	}
	return s, nil
}

// hostName takes a name without anything around it.
func hostName(s string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	if name == "" || len(name) > 253 || strings.Contains(name, "..") || !consistsOf(name, hostBytes+"_") {
		return "", fmt.Errorf("%.60q: want a host name only, such as cams.example", redact.Template(s))
	}
	return name, nil
}

// proxy takes an address, a network or the word loopback.
func proxy(s string) (string, error) {
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
	return "", fmt.Errorf("%.60q: want an address such as 192.0.2.1, a network such as 172.16.0.0/12, or loopback",
		redact.Template(s))
}

// network reads an address or a network.
func network(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%.50q: want an address or a network, such as 192.168.1.31 or 192.168.1.0/24", s)
	}
	return p.Masked(), nil
}

// networks takes addresses and networks with blanks or commas between.
func networks(s string) (string, error) {
	all := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
	for _, word := range all {
		if _, err := network(word); err != nil {
			return "", err
		}
	}
	return strings.Join(all, " "), nil
}

func email(s string) (string, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return "", fmt.Errorf("%.60q: want an address such as you@example.org", s)
	}
	return s, nil
}

func httpsURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", fmt.Errorf("%.60q: want such as https://ca.example/acme/acme/directory", redact.Template(s))
	}
	return s, nil
}

func isWeb(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" }

// webOrigin takes an origin (RFC 6454) and gives it as browsers write it.
func webOrigin(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || !isWeb(u) || u.Scheme+"://"+u.Host != s || strings.ContainsAny(u.Host, "*,") {
		return "", fmt.Errorf("%.60q: want scheme and host only, such as https://home.example", redact.Template(s))
	}
	return strings.ToLower(s), nil
}

// pageURL takes the address of a web page that people are sent to.
func pageURL(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || !isWeb(u):
		return "", fmt.Errorf("%.60q: want http or https and a host, such as https://cams.example", redact.Template(s))
	case u.User != nil:
		return "", errors.New("has a user or a password, which Home Assistant would show: want the address alone")
	case strings.ContainsAny(s, "?#"):
		return "", fmt.Errorf("%.60q: want an address without ? and #", redact.Template(s))
	}
	return s, nil
}

// brokerURL takes what the MQTT connection understands. A host alone becomes a URL.
func brokerURL(s string) (string, error) {
	u, err := brokerurl.Parse(s)
	switch {
	case err != nil:
		return "", errors.Unwrap(err) // without the address: the problem names its place
	case strings.Contains(s, "://"):
		return s, nil
	}
	return u.String(), nil
}

// pin takes a pin and gives it in the form that camqtt key prints.
func pin(s string) (string, error) {
	p, err := cert.ParsePin(s)
	if err != nil {
		return "", err
	}
	return p.String(), nil
}

// topicPrefix follows the rules of the base, which Home Assistant and every broker accept.
func topicPrefix(s string) (string, error) {
	if _, err := wire.ParseBase(s); err != nil || s == "" {
		return "", fmt.Errorf("%.60q: want words of a-z A-Z 0-9 _ - with slashes between", s)
	}
	return s, nil
}
