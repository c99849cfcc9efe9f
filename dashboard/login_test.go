package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"camqtt/dashboard/internal/login"
	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// inviter is an Enroller that invites everything but what exists.
type inviter struct{ asked []wire.ID }

func (i *inviter) Invite(_ context.Context, by access.Principal, id wire.ID) (Invitation, error) {
	if id == "porch" {
		return Invitation{}, fmt.Errorf("camera %s: %w", id, access.ErrExists)
	}
	i.asked = append(i.asked, id)
	return Invitation{Join: "join-" + string(id) + "-by-" + by.Name, QR: []byte("png"), Expires: time.Now().Add(10 * time.Minute)}, nil
}

// userFile is Users on an accounts file.
type userFile struct{ file string }

func (u *userFile) List() ([]access.Account, error) { return access.List(u.file) }

func (u *userFile) Add(a access.Account, password string) (string, error) {
	return access.Add(u.file, a, password)
}

func (u *userFile) Remove(name string) error {
	if u.file == "" {
		return access.ErrUnknown
	}
	return access.Remove(u.file, name)
}

// post sends a form or, when body begins with {, JSON.
func post(t testing.TB, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	kind := "application/x-www-form-urlencoded"
	if strings.HasPrefix(body, "{") {
		kind = "application/json"
	}
	return askWith(t, "POST", url, body, append([]string{"Content-Type", kind}, header...)...)
}

func credentials(user, password string) string {
	return url.Values{"user": {user}, "password": {password}}.Encode()
}

// logIn returns the cookie of a new session, as a header.
func (c *closed) logIn(t testing.TB, user, password string) []string {
	t.Helper()
	resp, body := post(t, c.url+"/login", credentials(user, password))
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 2 {
		t.Fatalf("logging in as %s: %d %q, %d cookies", user, resp.StatusCode, body, len(resp.Cookies()))
	}
	return []string{"Cookie", resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value}
}

// follows runs what notices that accounts change.
func (c *closed) follows(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.as.Serve(ctx) }() // ends with ctx
	t.Cleanup(func() { cancel(); <-done })
}

func (c *closed) status(t testing.TB, path string, header ...string) int {
	t.Helper()
	resp, _ := ask(t, "GET", c.url+path, header...)
	return resp.StatusCode
}

// A11. The cookie is out of reach of scripts and other sites, is nothing a visitor can
// choose, and shows exactly the cameras of its account.
func TestSession(t *testing.T) {
	c := serveClosed(t, access.AnonymousNever, Options{})
	resp, _ := post(t, c.url+"/login", credentials("annie", annPassword), "Cookie", "camqtt=chosen-by-somebody")
	if len(resp.Cookies()) != 2 {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	k := resp.Cookies()[0]
	if k.Name != "camqtt" || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != "/" || k.Domain != "" || k.Secure || k.MaxAge != 0 || len(k.Value) > 400 {
		t.Errorf("cookie %v", k)
	}
	if k.Value == "chosen-by-somebody" || c.status(t, "/", "Cookie", "camqtt=chosen-by-somebody") != 401 {
		t.Error("a session can be chosen")
	}
	mine := []string{"Cookie", "camqtt=" + k.Value}
	for path, want := range map[string]int{"/": 200, "/cam/porch/snapshot.jpg": 200, "/cam/garden/snapshot.jpg": 403, "/api/users": 404} {
		if got := c.status(t, path, mine...); got != want {
			t.Errorf("%s in a session: %d, want %d", path, got, want)
		}
	}
	if _, body := ask(t, "GET", c.url+"/api/cameras", mine...); strings.Contains(body, "garden") || !strings.Contains(body, "porch") {
		t.Errorf("cameras in a session: %s", body)
	}
	if _, body := ask(t, "GET", c.url+"/api/me", mine...); !strings.Contains(body, `"name":"annie","role":"viewer","session":true`) || !strings.Contains(body, `"operate":false`) {
		t.Errorf("me: %s", body)
	}
	if _, body := ask(t, "GET", c.url+"/api/me"); !strings.Contains(body, `"known":false,"name":""`) {
		t.Errorf("me of a stranger: %s", body)
	}
	// Logging in again gives another session, and ends the one before.
	resp, _ = post(t, c.url+"/login", credentials("annie", annPassword), mine...)
	if len(resp.Cookies()) != 2 || resp.Cookies()[0].Value == k.Value || c.status(t, "/", mine...) != 401 {
		t.Error("a session survives logging in again")
	}
	for name := range map[string]bool{"": true, "camqtt=": true, "camqtt=" + strings.Repeat("x", 4000): true, "camqtt=" + k.Value[:42]: true, "other=" + k.Value: true} {
		if got := c.status(t, "/", "Cookie", name); got != 401 {
			t.Errorf("cookie %.20q: %d, want 401", name, got)
		}
	}
}

// Over TLS, or behind a proxy that speaks it, the cookie is for TLS and this host only.
func TestSecureCookie(t *testing.T) {
	c := serveClosed(t, access.AnonymousNever, Options{})
	resp, _ := post(t, c.url+"/login", credentials("annie", annPassword), "X-Forwarded-Proto", "https")
	k := resp.Cookies()[0]
	if k.Name != "__Host-camqtt" || !k.Secure || k.Path != "/" || k.Domain != "" || !k.HttpOnly {
		t.Errorf("cookie %v", k)
	}
	if got := c.status(t, "/", "Cookie", k.Name+"="+k.Value, "X-Forwarded-Proto", "https"); got != 200 {
		t.Errorf("with it: %d", got)
	}
	// A cookie that pages without TLS can set is none over TLS.
	mine := c.logIn(t, "annie", annPassword)
	if got := c.status(t, "/", append(mine, "X-Forwarded-Proto", "https")...); got != 401 {
		t.Errorf("with the other cookie: %d", got)
	}
}

func TestLogInRefused(t *testing.T) {
	c := serveClosed(t, access.AnonymousNever, Options{})
	for name, tc := range map[string]struct {
		body string
		want int
	}{
		"wrong password": {credentials("annie", "wrong"), 401},
		"no such user":   {credentials("nobody", annPassword), 401},
		"nothing":        {"", 401},
		"no password":    {credentials("annie", ""), 401},
		"token, no name": {credentials("", c.tokens["ann"]), 401},
		"a device":       {credentials("node", c.tokens["node"]), 403},
		"too long":       {credentials("annie", strings.Repeat("x", login.MaxForm)), 400},
		"not a form":     {"user=%zz", 400},
	} {
		resp, body := post(t, c.url+"/login", tc.body)
		if resp.StatusCode != tc.want || len(resp.Cookies()) > 0 || resp.Header.Get("Www-Authenticate") != "" {
			t.Errorf("%s: %d %q, %d cookies, want %d", name, resp.StatusCode, body, len(resp.Cookies()), tc.want)
		}
	}
	for i := range 40 {
		resp, _ := post(t, c.url+"/login", credentials("annie", fmt.Sprint("guess ", i)), "Accept", "application/json", "X-Forwarded-For", "203.0.113.9")
		if resp.StatusCode == 429 {
			if resp.Header.Get("Retry-After") == "" {
				t.Error("no word about when")
			}
			return
		}
	}
	t.Error("guessing is not limited")
}

// Browsers are led to the login page, scripts of the page get no dialog of the
// browser's, programs are told what to send.
func TestWhoIsSentWhere(t *testing.T) {
	c := serveClosed(t, access.AnonymousNever, Options{})
	for _, tc := range []struct {
		path, accept, where string
		status              int
		basic               bool
	}{
		{"/", "text/html,*/*", "login", 303, false},
		{"/cam/porch/snapshot.jpg", "text/html", "../../login", 303, false},
		{"/api/cameras", "application/json", "", 401, false},
		{"/api/cameras", "*/*", "", 401, true},
		{"/", "", "", 401, true},
	} {
		resp, _ := ask(t, "GET", c.url+tc.path, "Accept", tc.accept)
		if resp.StatusCode != tc.status || resp.Header.Get("Location") != tc.where || (resp.Header.Get("Www-Authenticate") != "") != tc.basic {
			t.Errorf("%s, Accept %q: %d %v", tc.path, tc.accept, resp.StatusCode, resp.Header)
		}
	}
	resp, body := ask(t, "GET", c.url+"/login")
	wantAnswer(t, resp, body, 200, `autocomplete="current-password"`, `autocomplete="username"`)
	if resp, _ = ask(t, "GET", c.url+"/login", c.logIn(t, "annie", annPassword)...); resp.Header.Get("Location") != "./" {
		t.Errorf("who has logged in is asked again: %d", resp.StatusCode)
	}
	open := serve(t, Options{})
	for _, r := range []struct{ method, path string }{{"GET", "/login"}, {"POST", "/login"}} {
		if resp, _ := ask(t, r.method, open.url+r.path); resp.StatusCode != 303 || resp.Header.Get("Location") != "./" {
			t.Errorf("%s %s without accounts: %d", r.method, r.path, resp.StatusCode)
		}
	}
	if _, body := ask(t, "GET", open.url+"/api/me"); !strings.Contains(body, `"known":true`) || !strings.Contains(body, `"canLogIn":false`) {
		t.Errorf("me without accounts: %s", body)
	}
}

// A11. Logging out, and an account that changes or goes, end the session and its open
// WebSocket at once; its cookie does not bring it back.
func TestSessionsEnd(t *testing.T) {
	for name, end := range map[string]func(c *closed, cookie []string) error{
		"log out": func(c *closed, cookie []string) error {
			resp, _ := post(t, c.url+"/logout", "", cookie...)
			if k := resp.Cookies(); len(k) != 1 || k[0].MaxAge >= 0 || k[0].Value != "" {
				return fmt.Errorf("cookies %v", k)
			}
			return nil
		},
		"account removed": func(c *closed, _ []string) error { return access.Remove(c.file, "annie") },
		"role changed": func(c *closed, _ []string) error {
			return access.SetRights(c.file, access.Account{Name: "annie", Role: access.Operator, All: true})
		},
		"password changed": func(c *closed, _ []string) error {
			_, err := access.SetSecret(c.file, "annie", false, "another long password")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := serveClosed(t, access.AnonymousNever, Options{})
			c.follows(t)
			cookie := c.logIn(t, "annie", annPassword)
			other := c.logIn(t, "annie", annPassword)
			ws := c.connected(t, cookie)
			if err := end(c, cookie); err != nil {
				t.Fatal(err)
			}
			_ = ws.SetReadDeadline(time.Now().Add(testkit.Patience))
			_, _, err := ws.ReadMessage()
			var late net.Error
			if err == nil || errors.As(err, &late) && late.Timeout() {
				t.Errorf("the WebSocket goes on: %v", err)
			}
			testkit.Until(t, "the cookie is worthless", func() bool { return c.status(t, "/", cookie...) == 401 })
			if name != "log out" {
				testkit.Until(t, "the other session of the account has ended", func() bool { return c.status(t, "/", other...) == 401 })
			} else if got := c.status(t, "/", other...); got != 200 {
				t.Errorf("another session of the account: %d", got)
			}
		})
	}
}
