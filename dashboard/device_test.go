package dashboard

import (
	"fmt"
	"net/http"
	"testing"

	"camqtt/internal/access"
)

// While others guess at the name and address of an account, a browser in which it has
// logged in before still logs in. The cookie that says so lets nobody in by itself.
func TestKnownBrowserLogsIn(t *testing.T) {
	c := serveClosed(t, access.AnonymousNever, Options{Log: quietLog()})
	logIn := func(password string, header ...string) *http.Response {
		t.Helper()
		resp, _ := post(t, c.url+"/login", credentials("annie", password), header...)
		return resp
	}
	resp := logIn(annPassword)
	device := resp.Cookies()[1]
	if device.Name != "camqtt-device" || !device.HttpOnly || device.SameSite != http.SameSiteStrictMode || device.MaxAge != 30*24*3600 {
		t.Errorf("the cookie is %v", device)
	}
	session := []string{"Cookie", resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value}
	mine := []string{"Cookie", device.Name + "=" + device.Value}
	if n := c.status(t, "/api/cameras", mine...); n != http.StatusUnauthorized {
		t.Errorf("with the device's cookie alone: %d, want 401", n)
	}
	for i := range 20 {
		logIn(fmt.Sprint("guess ", i))
	}
	if resp := logIn(annPassword); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("another browser: %d, want 429", resp.StatusCode)
	}
	if n := c.status(t, "/api/cameras", session...); n != http.StatusOK {
		t.Errorf("an open session: %d, want 200", n)
	}
	if n := c.status(t, "/api/cameras", "Authorization", basic("node", c.tokens["node"])); n == http.StatusTooManyRequests {
		t.Error("a right token is held back by guesses at another account")
	}
	resp = logIn(annPassword, mine...)
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("the known browser: %d, want 303", resp.StatusCode)
	}
	if again := resp.Cookies()[1]; again.Value != device.Value {
		t.Error("the device's cookie has changed")
	}
}
