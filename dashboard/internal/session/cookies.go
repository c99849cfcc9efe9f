package session

import (
	"net/http"
	"time"
)

const (
	plainCookie    = "camqtt"        // over plain http, where browsers refuse the other one
	secureCookie   = "__Host-camqtt" // RFC 6265bis section 4.1.3.2: set by this host over TLS only
	deviceSuffix   = "-device"
	deviceLife     = 30 * 24 * time.Hour // as long as accounts remember a login
	maxCookieBytes = 1024
)

// Cookies writes and reads the cookies of one kind of connection.
type Cookies struct {
	Encrypted bool // the browser uses TLS
	Embedded  bool // other sites may show the page
}

// Value returns the session cookie of a request; "" is none. Over TLS only the cookie
// counts that pages on another port or without TLS cannot set.
func (k Cookies) Value(r *http.Request) string {
	c, err := r.Cookie(k.name())
	if err != nil || len(c.Value) > maxCookieBytes {
		return ""
	}
	return c.Value
}

func (k Cookies) name() string {
	if k.Encrypted {
		return secureCookie
	}
	return plainCookie
}

// Session is the cookie of a session; "" removes it.
func (k Cookies) Session(value string) *http.Cookie {
	c := &http.Cookie{Name: k.name(), Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: k.Encrypted}
	if k.Encrypted && k.Embedded { // browsers send no strict cookie from a frame in another site's page
		c.SameSite, c.Partitioned = http.SameSiteNoneMode, true
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// Device identifies a browser, and returns the cookie that keeps the identity. It grants
// nothing: a browser in which an account has logged in keeps tries of its own while others
// guess passwords at the same address, which behind some proxies is that of everybody.
func (k Cookies) Device(r *http.Request) (string, *http.Cookie) {
	value, _ := newSecret()
	c := k.Session(value)
	c.Name += deviceSuffix
	c.MaxAge = int(deviceLife / time.Second)
	if old, err := r.Cookie(c.Name); err == nil && old.Value != "" && len(old.Value) <= maxCookieBytes {
		c.Value = old.Value
	}
	return c.Value, c
}
