package camera

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/icholy/digest"
)

// authTransport answers a server that asks who is there, by Digest (RFC 7616)
// where that is offered and else by Basic (RFC 7617). A password is sent only
// after the server has asked; what it asked is remembered for the requests that
// follow.
type authTransport struct {
	base http.RoundTripper
	user *url.Userinfo // nil: nothing to answer with

	mu    sync.Mutex
	asked *digest.Challenge // the last one, nil if none
	uses  int               // how often it has been answered
	basic bool
}

// RoundTrip sends the request, and once more if the server asks.
func (t *authTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.user == nil {
		return t.base.RoundTrip(req)
	}
	first, err := t.signed(req)
	if err != nil {
		return nil, err
	}
	res, err := t.base.RoundTrip(first)
	if err != nil || res.StatusCode != http.StatusUnauthorized || !t.learn(res.Header) {
		return res, err
	}
	// What is left of a short body lets the connection be used again.
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
	res.Body.Close()
	second, err := t.signed(req)
	if err != nil {
		return nil, err
	}
	return t.base.RoundTrip(second)
}

// signed is a copy of req with what the server has asked for so far.
func (t *authTransport) signed(req *http.Request) (*http.Request, error) {
	req = req.Clone(req.Context())
	t.mu.Lock()
	defer t.mu.Unlock()
	password, _ := t.user.Password()
	switch {
	case t.basic:
		req.SetBasicAuth(t.user.Username(), password)
	case t.asked != nil:
		t.uses++
		c, err := digest.Digest(t.asked, digest.Options{
			Method: req.Method, URI: req.URL.RequestURI(), Count: t.uses, Username: t.user.Username(), Password: password,
		})
		if err != nil {
			return nil, configError("camera asks for a kind of digest authentication that is not known here: %s", clean(err.Error()))
		}
		req.Header.Set("Authorization", c.String())
	}
	return req, nil
}

// learn takes in what a server asks. False: nothing that is worth another try.
func (t *authTransport) learn(h http.Header) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c, err := digest.FindChallenge(h); err == nil {
		t.asked, t.uses, t.basic = c, 0, false
		return true
	}
	for _, v := range h.Values("WWW-Authenticate") {
		if word, _, _ := strings.Cut(strings.TrimSpace(v), " "); strings.EqualFold(word, "basic") && !t.basic {
			t.basic = true
			return true
		}
	}
	return false
}

// CloseIdleConnections is what http.Client looks for.
func (t *authTransport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
