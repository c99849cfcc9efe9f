package dashboard

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// closed is a dashboard with accounts: ann sees porch, op everything, root is an admin,
// node is the camera porch. All have tokens, ann a password as well as annie.
type closed struct {
	*served
	file   string
	as     *access.Accounts
	tokens map[string]string
}

const annPassword = "correct horse battery"

func serveClosed(t testing.TB, anonymous string, o Options) *closed {
	t.Helper()
	c := &closed{file: filepath.Join(t.TempDir(), access.FileName), tokens: map[string]string{}}
	porch := []wire.ID{"porch"}
	for _, a := range []access.Account{
		{Name: "ann", Role: access.Viewer, Cameras: porch},
		{Name: "op", Role: access.Operator, All: true},
		{Name: "root", Role: access.Admin},
		{Name: "node", Role: access.Camera, Cameras: porch},
	} {
		a.Token = true
		token, err := access.Add(c.file, a, "")
		if err != nil {
			t.Fatal(err)
		}
		c.tokens[a.Name] = token
	}
	if _, err := access.Add(c.file, access.Account{Name: "annie", Role: access.Viewer, Cameras: porch}, annPassword); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.as, err = access.Open(access.Options{File: c.file, Anonymous: anonymous, Every: 5 * time.Millisecond, Log: quietLog()}); err != nil {
		t.Fatal(err)
	}
	o.Access = c.as
	c.served = serve(t, o)
	return c
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// A9. Every route has a declared permission, and keeps to it: without an account there
// is nothing, a viewer gets his cameras, a camera's account sees nothing.
func TestEveryRouteAsks(t *testing.T) {
	c := serveClosed(t, access.AnonymousLoopback, Options{Enrol: &inviter{}, Users: &userFile{}})
	for _, r := range c.routes {
		method, path, _ := strings.Cut(r.pattern, " ")
		if r.permission == 0 {
			t.Errorf("%s has no permission declared", r.pattern)
		}
		for _, id := range []string{"porch", "garden", "attic"} {
			p := strings.NewReplacer("{id}", id, "{name}", "nobody-of-this-name").Replace(strings.TrimSuffix(path, "{$}"))
			ofCamera := p != strings.TrimSuffix(path, "{$}")
			want := map[string]int{"": 401, "wrong": 401, "ann": 200, "op": 200, "node": 403}
			switch {
			case p == "/healthz" || p == "/api/me" || p == "/login" && method == "GET" || slices.Contains(publicFiles(), p[1:]):
				want = map[string]int{"": 200, "wrong": 200, "ann": 200, "node": 200}
			case p == "/login": // says nothing in the body
				want = map[string]int{"": 401, "wrong": 401, "ann": 401, "root": 401}
			case p == "/logout":
				want = map[string]int{"": 303, "wrong": 303, "ann": 303}
			case p == "/api/mqtt-ticket": // they have no session
				want = map[string]int{"": 401, "wrong": 401, "ann": 400, "root": 400, "node": 403}
			case r.permission == mayManage:
				want = map[string]int{"": 401, "wrong": 401, "ann": 403, "op": 403, "node": 403, "root": 415}
				if method == "GET" {
					want["root"] = 200
				} else if method == "DELETE" {
					want["root"] = 404
				}
			case p == "/mqtt": // the broker asks; no WebSocket was asked for
				want = map[string]int{"": 426, "wrong": 401, "ann": 426, "node": 426}
			case ofCamera && id == "garden":
				want["ann"] = 403
			case ofCamera && id == "attic": // is there no such camera, or only not for ann?
				want["ann"], want["op"] = 403, 404
			}
			for user, status := range want {
				header := []string{}
				switch user {
				case "":
				case "wrong":
					header = []string{"Authorization", "Bearer camqtt_wrong"}
				default:
					header = []string{"Authorization", basic(user, c.tokens[user])}
				}
				if strings.HasSuffix(p, "stream.mjpg") && status == 200 {
					status = headStatus(t, c.url+p, header...)
					if status != 200 {
						t.Errorf("HEAD %s as %q: %d", p, user, status)
					}
					continue
				}
				resp, body := ask(t, method, c.url+p, header...)
				if resp.StatusCode != status {
					t.Errorf("%s %s as %q: %d %.80q, want %d", method, p, user, resp.StatusCode, body, status)
				}
				if asked := resp.Header.Get("Www-Authenticate") != ""; asked != (status == 401 && p != "/login") {
					t.Errorf("%s %s as %q: asks for an account %v", method, p, user, asked)
				}
				if user == "ann" && strings.Contains(body, "garden") && p != "/healthz" && !strings.HasSuffix(p, ".js") && p != "/" {
					t.Errorf("GET %s tells ann of the garden: %.200q", p, body)
				}
				if status != 200 && (strings.Contains(body, "attic is") || strings.Contains(body, "no camera attic")) && user == "ann" {
					t.Errorf("GET %s tells ann what exists: %q", p, body)
				}
			}
		}
	}
	resp, _ := ask(t, "GET", c.url+"/nothing")
	if resp.StatusCode != 401 {
		t.Errorf("a path that does not exist: %d without an account, want 401", resp.StatusCode)
	}
}

func headStatus(t *testing.T, url string, header ...string) int {
	resp, _ := ask(t, "HEAD", url, header...)
	return resp.StatusCode
}

func TestOnlyOwnCameras(t *testing.T) {
	f := newFake()
	heard := online("garden")
	heard.Stats.TS = wire.At(time.Now())
	f.set(heard)
	c := serveClosed(t, access.AnonymousNever, Options{Viewer: f, Broker: func() []Counter {
		return []Counter{{Name: "broker_clients", Value: 7, Gauge: true}, {Name: "broker_camera_frames_total", Value: 8, Camera: "garden"}, {Name: "broker_camera_frames_total", Value: 9, Camera: "porch"}}
	}})
	ann, op := []string{"Authorization", "Bearer " + c.tokens["ann"]}, []string{"Authorization", "Bearer " + c.tokens["op"]}
	for _, path := range []string{"/api/cameras", "/metrics"} {
		_, mine := ask(t, "GET", c.url+path, ann...)
		_, all := ask(t, "GET", c.url+path, op...)
		if !strings.Contains(mine, "porch") || strings.Contains(mine, "garden") {
			t.Errorf("%s for ann: %.300q", path, mine)
		}
		if !strings.Contains(all, "porch") || !strings.Contains(all, "garden") {
			t.Errorf("%s for op: %.300q", path, all)
		}
	}
	_, mine := ask(t, "GET", c.url+"/metrics", ann...)
	if strings.Contains(mine, "broker_clients") || strings.Contains(mine, "http_requests") || strings.Contains(mine, "go_") {
		t.Errorf("figures of the whole program for ann: %.300q", mine)
	}
	resp, body := ask(t, "GET", c.url+"/cam/attic/snapshot.jpg", op...)
	wantAnswer(t, resp, body, 404, "garden, porch")
	before := f.snaps.Load()
	if resp, _ := ask(t, "GET", c.url+"/cam/garden/snapshot.jpg", ann...); resp.StatusCode != 403 || f.snaps.Load() != before {
		t.Errorf("ann had a picture taken of the garden: %d", resp.StatusCode)
	}
}

func TestWaysToSayWho(t *testing.T) {
	c := serveClosed(t, access.AnonymousLoopback, Options{})
	token := c.tokens["ann"]
	for name, tc := range map[string]struct {
		query, login string
		want         int
	}{
		"user and password":  {"", basic("annie", annPassword), 200},
		"user and token":     {"", basic("ann", token), 200},
		"token as password":  {"", basic("", token), 200},
		"bearer":             {"", "Bearer " + token, 200},
		"bearer, any case":   {"", "bEARER  " + token, 200},
		"in the URL":         {"?token=" + token, "", 200},
		"password in URL":    {"?token=correct+horse+battery", "", 401},
		"nothing":            {"", "", 401},
		"wrong password":     {"", basic("annie", "x"), 401},
		"wrong token in URL": {"?token=x", "", 401},
		"header wins":        {"?token=" + token, basic("annie", "y"), 401},
		"not Basic":          {"", "Basic %%%", 401},
		"Digest":             {"", "Digest username=ann", 401},
	} {
		header := []string{}
		if tc.login != "" {
			header = []string{"Authorization", tc.login}
		}
		if resp, body := ask(t, "GET", c.url+"/cam/porch/snapshot.jpg"+tc.query, header...); resp.StatusCode != tc.want {
			t.Errorf("%s: %d %.100q, want %d", name, resp.StatusCode, body, tc.want)
		}
	}
	// Over HTTP this machine is no reason where there are accounts, but for who has
	// opened it on purpose; and who looks only cannot command.
	all := serveClosed(t, access.AnonymousAll, Options{})
	if resp, _ := ask(t, "GET", all.url+"/cam/porch/snapshot.jpg"); resp.StatusCode != 200 {
		t.Errorf("anonymous all: %d", resp.StatusCode)
	}
	read := serveClosed(t, access.AnonymousRead, Options{})
	for path, want := range map[string]int{"/api/cameras": 200, "/": 200, "/cam/porch/snapshot.jpg": 403, "/cam/porch/stream.mjpg": 403} {
		if resp, _ := ask(t, "GET", read.url+path); resp.StatusCode != want {
			t.Errorf("anonymous read: %s %d, want %d", path, resp.StatusCode, want)
		}
	}
}

// Where browsers get the rights of the dashboard's own account, nobody gets more than
// his own.
func TestOwnRights(t *testing.T) {
	c := serveClosed(t, access.AnonymousLoopback, Options{OwnRights: true})
	for user, want := range map[string]int{"": 401, "ann": 403, "node": 403, "op": 426, "root": 426} {
		header := []string{}
		if user != "" {
			header = []string{"Authorization", basic(user, c.tokens[user])}
		}
		if resp, _ := ask(t, "GET", c.url+"/mqtt", header...); resp.StatusCode != want {
			t.Errorf("%q: %d, want %d", user, resp.StatusCode, want)
		}
	}
}

// A10. Guessing over HTTP is limited, for one address, and tokens are not.
func TestGuessingOverHTTP(t *testing.T) {
	c := serveClosed(t, access.AnonymousNever, Options{})
	count := map[int]int{}
	begun := time.Now()
	for i := range 40 {
		resp, _ := ask(t, "GET", c.url+"/api/cameras", "Authorization", basic("annie", fmt.Sprint("guess ", i)), "X-Forwarded-For", "203.0.113.9")
		count[resp.StatusCode]++
		if resp.StatusCode == 429 && resp.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	most := 5 + int(time.Since(begun)/(12*time.Second)) + 1 // what has come back meanwhile
	if count[401] > most || count[401]+count[429] != 40 {
		t.Errorf("of 40 guesses: %v, want %d at most looked at", count, most)
	}
	for name, header := range map[string][]string{
		"a token from there":      {"Authorization", "Bearer " + c.tokens["ann"], "X-Forwarded-For", "203.0.113.9"},
		"the password from here":  {"Authorization", basic("annie", annPassword)},
		"and from somewhere else": {"Authorization", basic("annie", annPassword), "X-Forwarded-For", "203.0.113.10"},
	} {
		if resp, body := ask(t, "GET", c.url+"/api/cameras", header...); resp.StatusCode != 200 {
			t.Errorf("%s: %d %q", name, resp.StatusCode, body)
		}
	}
}

// A5. A stream that is being watched ends when the account goes.
func TestStreamEndsWithTheAccount(t *testing.T) {
	f := newFake()
	f.watch = every(10*time.Millisecond, func(int) []byte { return []byte("\xff\xd8x\xff\xd9") })
	c := serveClosed(t, access.AnonymousNever, Options{Viewer: f})
	ctx, cancel := context.WithCancel(context.Background())
	watching := make(chan struct{})
	go func() { defer close(watching); _ = c.as.Serve(ctx) }() // ends with ctx
	defer func() { cancel(); <-watching }()
	resp, err := http.Get(c.url + "/cam/porch/stream.mjpg?token=" + c.tokens["ann"])
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(err, resp.StatusCode)
	}
	defer resp.Body.Close()
	if err := access.Remove(c.file, "ann"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends with the stream
		defer close(ended)
		buf := make([]byte, 4096)
		for {
			if _, err := resp.Body.Read(buf); err != nil {
				return
			}
		}
	}()
	select {
	case <-ended:
	case <-time.After(testkit.Patience):
		t.Error("the stream goes on")
	}
	testkit.Until(t, "the lease is given back", func() bool { return f.leases.Load() == 0 })
}

// A14. Neither tokens nor passwords are in the log, in answers or in metrics.
func TestNoSecretsShown(t *testing.T) {
	var log testkit.Output
	f := newFake()
	f.snap = func(context.Context, wire.ID, viewer.Ask) (viewer.Picture, error) { panic("boom") }
	c := serveClosed(t, access.AnonymousNever, Options{Viewer: f, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	token := c.tokens["ann"]
	all := ""
	for _, path := range []string{"/cam/porch/snapshot.jpg", "/cam/garden/snapshot.jpg", "/mqtt", "/nothing", "/metrics", "/cam/NO/stream.mjpg"} {
		_, body := ask(t, "GET", c.url+path+"?token="+token)
		all += body
		_, body = ask(t, "GET", c.url+path, "Authorization", basic("annie", "secret-of-mine"))
		all += body
	}
	cookie := c.logIn(t, "ann", token)
	c.connected(t, cookie)
	for _, form := range []string{credentials("annie", "secret-of-mine"), "user=annie&password=secret-of-mine%zz", credentials("secret-of-mine", "x")} {
		_, body := post(t, c.url+"/login", form, cookie...)
		all += body
	}
	all += log.String()
	for _, secret := range []string{token, token[len(token)-20:], "secret-of-mine", strings.TrimPrefix(cookie[1], "camqtt=")} {
		if strings.Contains(all, secret) {
			t.Errorf("%.8s... is shown", secret)
		}
	}
}

// FuzzIdentify feeds what visitors may write through what decides who they are.
func FuzzIdentify(f *testing.F) {
	f.Add("Basic YTpi", "x")
	f.Add("Bearer ", "")
	f.Add("bearer\tx", "%00")
	f.Add("Basic", "camqtt_")
	c := serveClosed(f, access.AnonymousLoopback, Options{Log: quietLog()})
	f.Fuzz(func(t *testing.T, login, token string) {
		r := httptest.NewRequest("GET", "/api/cameras", nil)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("Authorization", login)
		q := r.URL.Query()
		q.Set("token", token)
		r.URL.RawQuery = q.Encode()
		if p, err := c.login.User(r); err == nil {
			t.Errorf("%q, %q is %+v", login, token, p)
		}
	})
}
