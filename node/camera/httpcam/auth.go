package httpcam

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// login is how a camera wants to know the user, by Digest (RFC 7616) or by Basic
// (RFC 7617). It is kept from one Stream to the next, so that a camera is asked
// once. Basic, which gives the password away, is never used with a camera that has
// ever offered Digest.
type login struct {
	user *url.Userinfo // nil: nothing to answer with

	mu       sync.Mutex
	digest   *digestAnswer // nil: not asked for
	basic    bool
	digester bool // has offered Digest
	unknown  bool // nothing that the camera offers can be answered
}

// sign adds what the camera has asked for so far.
func (l *login) sign(req *http.Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	password, _ := l.user.Password()
	switch {
	case l.basic:
		req.SetBasicAuth(l.user.Username(), password)
	case l.digest != nil:
		field, err := l.digest.header(req, l.user.Username(), password)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", field)
	}
	return nil
}

// learn takes in why a request was refused, and forgets what was learnt before.
// False: nothing that is worth another try.
func (l *login) learn(h http.Header) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := challenges(h)
	has := func(scheme string) bool {
		return slices.ContainsFunc(all, func(c challenge) bool { return c.scheme == scheme })
	}
	l.digester = l.digester || has("digest")
	was := l.basic
	l.basic, l.digest = false, newDigestAnswer(all)
	if l.digest == nil && !l.digester && has("basic") && !was {
		l.basic = true
	}
	l.unknown = !was && !l.basic && l.digest == nil
	return l.basic || l.digest != nil
}

// strange reports whether no user and password could be sent.
func (l *login) strange() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unknown
}

// took notes that a request was let in.
func (l *login) took(h http.Header) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.digest != nil {
		l.digest.next(h)
	}
}

// forget begins anew: what was learnt is refused.
func (l *login) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.digest, l.basic = nil, false
}

// authTransport answers a camera that asks for the user. A password is used only
// after the camera has asked.
type authTransport struct {
	base  http.RoundTripper
	login *login
}

// RoundTrip sends the request, and once more if the camera asks.
func (t *authTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.login.user == nil {
		return t.base.RoundTrip(req)
	}
	res, err := t.send(req)
	if err != nil || res.StatusCode != http.StatusUnauthorized || !t.login.learn(res.Header) {
		return res, err
	}
	// What is left of a short body lets the connection be used again.
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
	res.Body.Close()
	if res, err = t.send(req); err == nil && res.StatusCode == http.StatusUnauthorized {
		t.login.forget()
	}
	return res, err
}

// send sends a signed copy of the request.
func (t *authTransport) send(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if err := t.login.sign(req); err != nil {
		return nil, err
	}
	res, err := t.base.RoundTrip(req)
	if err == nil && res.StatusCode != http.StatusUnauthorized {
		t.login.took(res.Header)
	}
	return res, err
}

// CloseIdleConnections is what http.Client looks for.
func (t *authTransport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
