package httpcam

import (
	"crypto/md5" //nolint:gosec // RFC 7616 has it
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/icholy/digest"

	"camqtt/internal/redact"
	"camqtt/node/camera"
)

// challenge is one way in which a server wants to know the user (RFC 9110, 11.6.1).
type challenge struct {
	scheme string // in lower case
	params string // as they are written
}

// challengeStart begins a challenge: a scheme, and the first of its parameters.
var challengeStart = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*)(?:\s+(.*))?$`)

// challenges are all that a header has, be they in one line or in several.
func challenges(h http.Header) (all []challenge) {
	for _, line := range h.Values("WWW-Authenticate") {
		for _, item := range splitList(line) {
			if m := challengeStart.FindStringSubmatch(item); m != nil && !strings.HasPrefix(m[2], "=") {
				all = append(all, challenge{strings.ToLower(m[1]), m[2]})
			} else if n := len(all); n > 0 {
				all[n-1].params += ", " + item
			}
		}
	}
	return all
}

// splitList cuts at the commas that are not in quotes.
func splitList(s string) (items []string) {
	quoted, from := false, 0
	add := func(item string) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			add(s[from:i])
			from = i + 1
		}
	}
	add(s[from:])
	return items
}

// digestAnswer answers the requests that follow one challenge.
type digestAnswer struct {
	asked  *digest.Challenge
	cnonce string
	uses   int // of its nonce
}

// session ends the names of algorithms whose key is made once for a nonce
// (RFC 7616, 3.4.2).
const session = "-sess"

// newDigestAnswer answers the first challenge that it can: servers put the one that
// they like best first.
func newDigestAnswer(all []challenge) *digestAnswer {
	for _, c := range all {
		if c.scheme != "digest" {
			continue
		}
		asked, err := digest.ParseChallenge(digest.Prefix + c.params)
		if err != nil {
			continue
		}
		var qop []string
		for _, q := range asked.QOP {
			if q = strings.ToLower(strings.TrimSpace(q)); q != "" {
				qop = append(qop, q)
			}
		}
		asked.QOP = qop
		plain := *asked
		plain.Algorithm, _ = withoutSession(plain.Algorithm)
		if digest.CanDigest(&plain) {
			return &digestAnswer{asked: asked, cnonce: rand.Text()}
		}
	}
	return nil
}

// withoutSession is the algorithm without its ending.
func withoutSession(name string) (plain string, has bool) {
	if n := len(name) - len(session); n >= 0 && strings.EqualFold(name[n:], session) {
		return name[:n], true
	}
	return name, false
}

// header is the field Authorization for a request.
func (d *digestAnswer) header(req *http.Request, user, password string) (string, error) {
	d.uses++
	o := digest.Options{
		Method: req.Method, URI: req.URL.RequestURI(), Count: d.uses, Username: user, Password: password, Cnonce: d.cnonce,
	}
	asked, has := *d.asked, false
	if asked.Algorithm, has = withoutSession(asked.Algorithm); has {
		h := digestHash(asked.Algorithm)
		o.A1 = hashed(h, hashed(h, user, asked.Realm, password), asked.Nonce, d.cnonce)
	}
	c, err := digest.Digest(&asked, o)
	if err != nil {
		return "", camera.ConfigError("camera asks for a kind of digest authentication that is not known here: %s", redact.Line(err.Error()))
	}
	c.Algorithm = d.asked.Algorithm
	return c.String(), nil
}

// next takes in the nonce for the next request, where the server names one
// (RFC 7616, 3.5).
func (d *digestAnswer) next(h http.Header) {
	info := h.Get("Authentication-Info")
	i := slices.IndexFunc(splitList(info), func(s string) bool { return strings.HasPrefix(strings.ToLower(s), "nextnonce=") })
	if i < 0 {
		return
	}
	_, nonce, _ := strings.Cut(splitList(info)[i], "=")
	if nonce = strings.Trim(strings.TrimSpace(nonce), `"`); nonce != "" {
		asked := *d.asked
		asked.Nonce = nonce
		d.asked, d.uses = &asked, 0
	}
}

// digestHash is the hash of an algorithm that digest.CanDigest allows.
func digestHash(algorithm string) hash.Hash {
	switch strings.ToUpper(algorithm) {
	case "SHA-256":
		return sha256.New()
	case "SHA-512":
		return sha512.New()
	case "SHA-512-256":
		return sha512.New512_256()
	}
	return md5.New() //nolint:gosec // RFC 7616 has it
}

func hashed(h hash.Hash, parts ...string) string {
	h.Reset()
	h.Write([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(h.Sum(nil))
}
