package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
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
	if k.Name != plainCookie || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != "/" || k.Domain != "" || k.Secure || k.MaxAge != 0 || len(k.Value) > 400 {
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
	if k.Name != secureCookie || !k.Secure || k.Path != "/" || k.Domain != "" || !k.HttpOnly {
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
		"too long":       {credentials("annie", strings.Repeat("x", maxForm)), 400},
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

// trusting is an Access that knows every account, until told otherwise.
type trusting struct{ gone *string }

func (trusting) Identify(context.Context, access.Attempt) (access.Principal, error) {
	return access.Principal{}, access.ErrNone
}

func (trusting) Bind(ctx context.Context, _ access.Principal) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

func (a trusting) Lookup(name string) (access.Principal, bool) {
	return access.Principal{Name: name}, a.gone == nil || name != *a.gone
}

// Sessions age, and there are not too many of them.
func TestSessionsAreBounded(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		s := newSessions(Options{Access: trusting{}, Log: quietLog()})
		defer func() { s.endAll(); synctest.Wait() }()
		ann := access.Principal{Name: "ann"}
		first := s.begin(ann)
		time.Sleep(sessionTime - time.Second)
		if s.find(first) == nil {
			t.Error("it ended early")
		}
		time.Sleep(time.Second)
		if s.find(first) != nil {
			t.Error("it outlives its time")
		}
		kept := s.begin(ann)
		ctx, release := s.hold(t.Context(), s.find(kept))
		if s.renew(s.find(kept)) != "" {
			t.Error("it is renewed at once")
		}
		for range 4 {
			time.Sleep(sessionTime - time.Minute)
			before := kept
			if kept = s.renew(s.find(kept)); kept == "" || kept == before || s.find(kept) == nil || ctx.Err() != nil {
				t.Fatal("one in use is not renewed")
			}
		}
		for range sessionLife / sessionTime {
			time.Sleep(sessionTime - time.Minute)
			if text := s.renew(s.find(kept)); text != "" {
				kept = text
			} else {
				break
			}
		}
		time.Sleep(sessionTime)
		if s.find(kept) != nil || ctx.Err() == nil {
			t.Error("one lives for ever")
		}
		release()
		_, free := s.hold(t.Context(), s.find(s.begin(ann))) // the oldest, but in use
		defer free()
		var all []string
		for range maxPerAccount + 5 {
			all = append(all, s.begin(ann))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := len(s.all); n != maxPerAccount || s.find(all[5]) != nil || s.find(all[6]) == nil {
			t.Errorf("%d sessions of one account", n)
		}
	})
}

// TestSessionsSurviveARestart starts anew with the key and the list of ended sessions.
func TestSessionsSurviveARestart(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		gone := ""
		restart := func() *sessions {
			key, err := OpenSessionKey(filepath.Join(dir, "session.key"))
			if err != nil {
				t.Fatal(err)
			}
			return newSessions(Options{Access: trusting{&gone}, SessionKey: key, EndedSessions: filepath.Join(dir, "session.ended"), Log: quietLog()})
		}
		s := restart()
		ann, bob, out := s.begin(access.Principal{Name: "ann"}), s.begin(access.Principal{Name: "bob"}), s.begin(access.Principal{Name: "ann"})
		s.finish(s.find(out))
		s.endAll()
		synctest.Wait()

		s = restart()
		if s.find(ann) == nil || s.find(bob) == nil {
			t.Error("a restart logs out")
		}
		if s.find(out) != nil {
			t.Error("a restart brings a session back that was ended")
		}
		gone = "bob"
		if s.find(bob) != nil {
			t.Error("a session outlives its account")
		}
		s.endAll()
		synctest.Wait()

		other := newSessions(Options{Access: trusting{}, Log: quietLog()})
		if other.find(ann) != nil {
			t.Error("another key takes the session")
		}
		if err := os.WriteFile(filepath.Join(dir, "session.ended"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s = restart()
		if s.find(ann) != nil {
			t.Error("without the list of ended sessions one goes on that may be among them")
		}
		s.endAll()
		synctest.Wait()
	})
}

// TestEndedSessionStaysEnded logs out with an old cookie after a restart, which has not seen
// that the session was renewed before.
func TestEndedSessionStaysEnded(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		gone := ""
		o := Options{
			Access: trusting{&gone}, SessionKey: newSessionKey(), Log: quietLog(),
			EndedSessions: filepath.Join(t.TempDir(), "session.ended"),
		}
		s := newSessions(o)
		old := s.begin(access.Principal{Name: "ann"})
		time.Sleep(11 * time.Hour)
		renewed := s.renew(s.find(old))
		s.endAll()
		synctest.Wait()
		s = newSessions(o)
		s.finish(s.find(old))
		time.Sleep(2 * time.Hour) // the old cookie runs out, the renewed one does not
		if s = newSessions(o); s.find(renewed) != nil {
			t.Error("a renewed cookie of an ended session is good again")
		}
		s.endAll()
		synctest.Wait()
	})
}

// TestSessionKey makes a key once and never replaces one.
func TestSessionKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "session.key")
	first, err := OpenSessionKey(file)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v, want mode 0600", st.Mode(), err)
	}
	if again, err := OpenSessionKey(file); err != nil || again.key != first.key {
		t.Errorf("another key the second time: %v", err)
	}
	for name, text := range map[string]string{"empty": "", "short": "c2hvcnQ=\n", "no base64": strings.Repeat("!", 44)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSessionKey(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
		if kept, err := os.ReadFile(file); err != nil || string(kept) != text {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}

// FuzzSessionToken feeds what browsers may show.
func FuzzSessionToken(f *testing.F) {
	k := newSessionKey()
	now := time.Now()
	good := sessionToken{ID: []byte("0123456789abcdef"), Name: "ann", Stamp: "s", Born: now.Unix(), Until: now.Add(time.Hour).Unix()}
	text := k.seal(good)
	f.Add(text)
	f.Add(newSessionKey().seal(good))
	f.Add(".")
	f.Add(strings.Replace(text, ".", "..", 1))
	f.Fuzz(func(t *testing.T, cookie string) {
		if got, err := k.open(cookie, now); err == nil && (cookie != text || got.Name != "ann") {
			t.Errorf("%q is taken for a session of %q", cookie, got.Name)
		}
	})
}
