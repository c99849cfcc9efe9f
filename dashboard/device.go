package dashboard

import (
	"net/http"
	"time"
)

const (
	deviceSuffix = "-device"
	deviceLife   = 30 * 24 * time.Hour // as long as accounts remember a login
)

// deviceOf returns what tells a browser from others, and the cookie that keeps it. It
// lets nobody in: a browser in which an account has logged in keeps tries of its own when
// others guess at the same address, which behind some proxies is that of everybody.
func (d *Dashboard) deviceOf(r *http.Request) (string, *http.Cookie) {
	value, _ := newSecret()
	c := d.cookie(r, value)
	c.Name += deviceSuffix
	c.MaxAge = int(deviceLife / time.Second)
	if old, err := r.Cookie(c.Name); err == nil && old.Value != "" && len(old.Value) <= maxCookieBytes {
		c.Value = old.Value
	}
	return c.Value, c
}
