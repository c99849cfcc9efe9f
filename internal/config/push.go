package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"camqtt/internal/redact"
)

// Pushed reports whether the camera's board sends its pictures by itself.
func (c Camera) Pushed() bool {
	scheme, _, _ := strings.Cut(c.Source, ":")
	return strings.EqualFold(scheme, "push")
}

// Networks are the addresses that pictures may come from; none is all.
func (c Camera) Networks() []netip.Prefix {
	var all []netip.Prefix
	for _, word := range strings.Fields(c.PushFrom) {
		if p, err := network(word); err == nil { // checked when it was read
			all = append(all, p)
		}
	}
	return all
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
func networks(s string) (any, error) {
	var all []string
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' }) {
		if _, err := network(word); err != nil {
			return nil, err
		}
		all = append(all, word)
	}
	return strings.Join(all, " "), nil
}

// Limits of a token: long enough not to be guessed at the pace that is allowed.
const leastToken, mostToken = 8, 128

// token takes what survives in a path, a header and a line of text. Its errors
// do not repeat it.
func token(s string) (any, error) {
	const want = "want 8 to 128 of A-Z a-z 0-9 . _ ~ -"
	switch {
	case s == redact.Mask:
		return nil, errors.New("*** stands for a token that was hidden: want the token itself, or push_token_file")
	case len(s) < leastToken || len(s) > mostToken:
		return nil, fmt.Errorf("has %d characters: %s", len(s), want)
	case strings.ContainsFunc(s, notInToken):
		return nil, errors.New("has a character that does not survive in a path: " + want)
	}
	return Secret(s), nil
}

func notInToken(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._~-", r))
}

// checkPush looks at the ports and at who may send.
func (l *loader) checkPush(cfg *Config) {
	p := cfg.Push
	ports := p.Listen != "" || p.TCP != ""
	sound := l.sound("push.listen", "push.tcp")
	pushed := 0
	for i := range cfg.Cameras {
		c := &cfg.Cameras[i]
		key := camerasKey + "." + string(c.ID)
		if !l.sound(key + ".source") {
			continue
		}
		if !c.Pushed() {
			l.checkUnpushed(c, key)
			continue
		}
		pushed++
		if !ports && sound {
			l.report(l.at(key+".source"), "nothing takes the board's pictures in: want push.listen, or push.tcp, such as push: {listen: 192.168.1.10:8090}")
		}
		l.checkSender(c, key)
	}
	where := "push.listen"
	if p.Listen == "" {
		where = "push.tcp"
	}
	if ports && sound && pushed == 0 && len(l.problems) == 0 {
		l.report(l.at(where), "no camera to take pictures in for: want one with source: push")
	}
	l.checkPair("push.tls", p.TLS.Cert, p.TLS.Key)
	if p.TLS.Cert != "" && p.TLS.Key != "" && p.Listen == "" && sound {
		l.report(l.at("push.tls.cert"), "a certificate, but no port to use it on: want push.listen as well")
	}
	l.checkPushPorts(cfg)
}

// checkUnpushed looks for keys that are for boards that send.
func (l *loader) checkUnpushed(c *Camera, key string) {
	for k, value := range map[string]string{"push_token": string(c.PushToken), "push_token_file": c.PushTokenFile, "push_from": c.PushFrom} {
		if value != "" {
			l.report(l.at(key+"."+k), "is for a board that sends its pictures: want source: push as well")
		}
	}
}

// checkSender looks at who may send for a camera, and takes the token from its
// file.
func (l *loader) checkSender(c *Camera, key string) {
	tokenKey, fileKey, fromKey := key+".push_token", key+".push_token_file", key+".push_from"
	if !l.sound(tokenKey, fileKey, fromKey) {
		return
	}
	switch {
	case c.PushToken != "" && c.PushTokenFile != "":
		l.report(l.at(tokenKey), "given as well as push_token_file: want one of them")
	case c.PushTokenFile != "":
		before := len(l.problems)
		c.PushToken = l.secret(fileKey, c.PushTokenFile, "token")
		if _, err := token(string(c.PushToken)); err != nil && len(l.problems) == before {
			l.reportf(l.at(fileKey), "%s: %v", c.PushTokenFile, err)
		}
	case c.PushToken == "" && c.PushFrom == "":
		l.report(l.at(key+".source"), "anybody could send pictures for this camera: want push_token_file, push_token or push_from")
	}
}

// checkPushPorts looks for ports that are taken by other parts.
func (l *loader) checkPushPorts(cfg *Config) {
	type port struct{ key, addr string }
	all := []port{{"push.listen", cfg.Push.Listen}, {"push.tcp", cfg.Push.TCP}}
	if cfg.Broker != nil {
		all = append(all, port{"broker.listen", cfg.Broker.Listen}, port{"broker.tls.listen", cfg.Broker.TLS.Listen})
	}
	if cfg.Dashboard != nil {
		all = append(all, port{"dashboard.listen", cfg.Dashboard.Listen})
	}
	for i, mine := range all[:2] {
		for _, other := range all[i+1:] {
			if sharePort(mine.addr, other.addr) && l.sound(mine.key, other.key) {
				l.report(l.at(mine.key), inTheWay(mine.addr, other.key, other.addr))
			}
		}
	}
}
