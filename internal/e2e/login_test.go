package e2e

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// up is js that tells whether the page itself has loaded and is connected.
const up = `(document.documentElement?.dataset.broker === 'up')`

// offered is what the head of the page offers.
func offered(b *testkit.Browser) string {
	return testkit.Eval[string](b, `[...document.querySelectorAll('#account > *')].filter((e) => e.checkVisibility()).map((e) => e.textContent).join(' ').trim()`)
}

// logIn fills in the form as a person does.
func logIn(b *testkit.Browser, user, password string) {
	b.Wait(`document.querySelector('#user') !== null && /^(user|password)$/.test(document.activeElement.id)`)
	testkit.Eval[bool](b, `document.querySelector('#user').select() || document.querySelector('#user').focus() || true`)
	b.Press(user + "\t" + password + "\r")
}

// quiet says which messages of the browser come with being refused.
func quiet(b *testkit.Browser) {
	b.Allow("the server responded with a status of 401")
	b.Allow("the server responded with a status of 429")
	b.Allow("WebSocket connection to") // ended with its session
}

// A person logs in, sees his camera and no other, takes a picture, logs out, and is
// out: the open page goes to the login page by itself.
func TestPageLogin(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	ann := secretOf(t, "user", "add", "ann", "--role", "viewer", "--camera", "porch", "--data", data)
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+data, "cameras.porch.source=test:", "cameras.garden.source=test:")
	b := testkit.OpenBrowser(t, h.http+"/#porch", 0, 0)
	quiet(b)
	b.Wait(`location.pathname === '/login' && document.activeElement.id === 'user'`)
	shot(t, b, "login-light")
	b.Media("prefers-color-scheme", "dark")
	shot(t, b, "login-dark")
	b.Viewport(390, 844)
	shot(t, b, "login-phone")
	if wide := testkit.Eval[bool](b, `document.documentElement.scrollWidth > innerWidth`); wide {
		t.Error("the login page is wider than a phone")
	}
	release := hold(b)
	logIn(b, "ann", "not her password")
	b.Click(`#user`)
	b.Press("e")
	release()
	b.Wait(`document.querySelector('#trouble').textContent.includes('wrong')`)
	b.Press("x") // who corrects the name meanwhile goes on with that
	if got := testkit.Eval[string](b, `document.querySelector('#user').value`); len(got) != 5 || !strings.Contains(got, "ex") {
		t.Errorf("the user name has become %q", got)
	}
	shot(t, b, "login-wrong")
	b.Viewport(1280, 900)
	b.Media("prefers-color-scheme", "light")
	logIn(b, "ann", ann)
	b.Wait(`location.pathname === '/' && location.hash === '#porch' && ` + up)
	b.Wait(`Number(document.querySelector('cam-focus')?.dataset.frames ?? 0) > 3`)
	b.Press("\x1b")
	b.Wait(frames + ` > 3 && document.querySelectorAll('cam-tile').length === 1`)
	b.Click(`cam-tile [data-part=snap]`)
	b.Wait(porch + `.querySelector('[data-part=note]').textContent.includes('ms')`)
	if got := offered(b); got != "ann Log out" {
		t.Errorf("a viewer is offered %q", got)
	}
	shot(t, b, "page-viewer")
	if kept := testkit.Eval[string](b, `document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + location.search`); kept != "{}{}" {
		t.Errorf("scripts can read %q", kept)
	}

	// Who logs out gets the login page, also by reloading.
	b.Reload()
	b.Wait(frames + ` > 3`)
	b.Click(`#account [data-part=leave]`)
	b.Wait(`location.pathname === '/login'`)
	b.Reload()
	b.Wait(`location.pathname === '/login' && document.querySelector('#enter') !== null`)

	// An account that goes takes its open page along.
	logIn(b, "ann", ann)
	b.Wait(frames + ` > 3`)
	must(t, "user", "rm", "ann", "--data", data)
	secretOf(t, "user", "add", "op", "--role", "operator", "--data", data)
	b.Wait(`location.pathname === '/login'`)
	logIn(b, "ann", "a guess")
	b.Wait(`document.querySelector('#trouble').textContent.includes('wrong')`)
	guess(t, h.http)
	logIn(b, "eve", "one guess more") // ann has logged in from here, and has tries of her own
	b.Wait(`/Try again in \d+ s/.test(document.querySelector('#trouble').textContent) && /\(\d+ s\)/.test(document.querySelector('#enter').textContent)`)
	shot(t, b, "login-slow")
}

// guess goes on with wrong passwords of an account that has never logged in, which the
// address pays for, until the next one has to wait for long: what the
// page then says stays there to be looked at.
func guess(t *testing.T, hub string) {
	t.Helper()
	n := 0
	testkit.Until(t, "wrong passwords have to wait", func() bool {
		n++
		resp, err := http.PostForm(hub+"/login", url.Values{"user": {"eve"}, "password": {"guess " + strconv.Itoa(n)}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		wait, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // 0: it was looked at
		return resp.StatusCode == http.StatusTooManyRequests && wait >= 8
	})
}

// Without accounts there is nothing to log in to, and the page shows nothing of it.
func TestPageWithoutAccountsShowsNoLogin(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	b := testkit.OpenBrowser(t, d.http+"/", 0, 0)
	b.Wait(up)
	if shown := offered(b); shown != "" {
		t.Errorf("the demo shows %q", shown)
	}
	resp, err := http.Get(d.http + "/login")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Request.URL.Path != "/" {
		t.Errorf("/login leads to %s", resp.Request.URL.Path)
	}
}

// An admin makes accounts in the page and removes them.
func TestPageAccounts(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	root := secretOf(t, "user", "add", "root", "--role", "admin", "--data", data)
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+data, "cameras.porch.source=test:")
	b := testkit.OpenBrowser(t, h.http+"/", 0, 0)
	quiet(b)
	b.Wait(`document.querySelector('#enter') !== null`)
	logIn(b, "root", root)
	b.Wait(frames + ` > 3`)
	b.Click(`#account [data-part=users]`)
	b.Wait(`document.querySelectorAll('dialog.box tbody tr').length === 1`)
	b.Click(`#users-name`)
	b.Press("ann")
	b.Click(`#users-cameras`)
	b.Press("porch\r")
	b.Wait(`document.querySelectorAll('dialog.box tbody tr').length === 2 && document.querySelector('dialog.box [data-part=line]').textContent !== ''`)
	shot(t, b, "accounts")
	b.Viewport(390, 844)
	shot(t, b, "accounts-phone")
	b.Viewport(1280, 900)
	secret := testkit.Eval[string](b, `document.querySelector('dialog.box [data-part=line]').textContent`)
	if got := answerOf(t, h.http+"/cam/porch/snapshot.jpg", "ann", secret); got != 200 {
		t.Errorf("with the secret that the page shows: %d", got)
	}
	b.Press("\x1b")
	b.Wait(`document.querySelector('dialog[open]') === null && document.querySelector('dialog.box [data-part=line]').textContent === ''`)
	if rows := testkit.Eval[int](b, `document.querySelectorAll('dialog.box tbody tr').length`); rows != 0 {
		t.Errorf("the closed dialog keeps %d rows: the next opening shows buttons that are replaced under the pointer", rows)
	}
	b.Click(`#account [data-part=users]`)
	b.Wait(`document.querySelector('[aria-label="Remove ann"]') !== null`)
	b.Click(`[aria-label="Remove ann"]`)
	b.Click(`[aria-label="Remove ann"]`)
	b.Wait(`document.querySelectorAll('dialog.box tbody tr').length === 1`)
	if got := answerOf(t, h.http+"/cam/porch/snapshot.jpg", "ann", secret); got != 401 {
		t.Errorf("after the removal: %d", got)
	}
}

// Over TLS the cookie is for TLS and this host only, nothing says that the line is open,
// and a name that the certificate does not have is refused.
func TestPageLoginOverTLS(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	root := secretOf(t, "user", "add", "root", "--role", "admin", "--data", data)
	s := startSecured(t, "broker.data="+data, "dashboard.tls.shared=true", "cameras.porch.source=test:")
	b := testkit.OpenBrowser(t, "https://"+s.https+"/", 0, 0)
	quiet(b)
	b.Wait(`document.querySelector('#enter') !== null && !document.querySelector('#open').checkVisibility()`)
	logIn(b, "root", root)
	b.Wait(up + ` && ` + frames + ` > 3`)
	if got := offered(b); got != "root Add a camera Accounts Log out" {
		t.Errorf("an admin is offered %q", got)
	}
	web := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, // what is looked at is the answer
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := web.PostForm("https://"+s.https+"/login", url.Values{"user": {"root"}, "password": {root}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if k := resp.Cookies(); len(k) != 2 || k[0].Name != "__Host-camqtt" || !k[0].Secure || !k[0].HttpOnly {
		t.Errorf("cookies %v", k)
	}
	r, err := http.NewRequest(http.MethodGet, "https://"+s.https+"/login", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example"
	if resp, err = web.Do(r); err != nil || resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("under a foreign name: %v %v", resp, err)
	}
	resp.Body.Close()
}

// Before a broker elsewhere an operator has the live page. A viewer sees stills of the
// cameras that the account is for, and is told so.
func TestPageLoginBeforeAnotherBroker(t *testing.T) {
	t.Parallel()
	m := testkit.StartMosquitto(t)
	data := t.TempDir()
	op := secretOf(t, "user", "add", "op", "--role", "operator", "--data", data)
	ann := secretOf(t, "user", "add", "ann", "--role", "viewer", "--camera", "porch", "--data", data)
	h := startHub(t, "mqtt.url=mqtt://"+m.Addr, "dashboard.data="+data, "cameras.porch.source=test:", "cameras.garden.source=test:")
	b := testkit.OpenBrowser(t, h.http+"/", 0, 0)
	quiet(b)
	b.Allow("status of 403")
	logIn(b, "op", op)
	b.Wait(up + ` && ` + frames + ` > 3`)
	m.Stop()
	b.Wait(`!` + up)
	m.Start()
	b.Wait(up)
	testkit.Until(t, "the hub is back at the broker, with its cameras", func() bool {
		return answerOf(t, h.http+"/cam/porch/snapshot.jpg", "op", op) == http.StatusOK
	})
	b.Click(`#account [data-part=leave]`)
	logIn(b, "ann", ann)
	b.Wait(`document.querySelector('#banner-text')?.textContent.includes('operators and admins')`)
	b.Wait(`document.querySelectorAll('#stills figure').length === 1 && performance.getEntriesByName('first-picture').length > 0 && document.querySelector('#stills canvas').offsetHeight > 200`)
	b.Wait(`getComputedStyle(document.querySelector('#banner')).opacity === '1'`)
	shot(t, b, "page-viewer-elsewhere")
	if got := offered(b); got != "ann Log out" {
		t.Errorf("a viewer is offered %q", got)
	}
	must(t, "set", "porch", "privacy=on", "--broker", "mqtt://"+m.Addr)
	b.Wait(`document.querySelector('#stills figcaption').textContent.includes('privacy is on')`)
	b.Wait(blank + `(document.querySelectorAll('#stills canvas'))`)
}

// Over plain http from another machine the pages say that the line is open.
func TestPageSaysNotEncrypted(t *testing.T) {
	t.Parallel()
	host := outside()
	if host == "" {
		t.Log("this machine has no address but loopback")
		return
	}
	data := t.TempDir()
	ann := secretOf(t, "user", "add", "ann", "--role", "viewer", "--data", data)
	addr := net.JoinHostPort(host, strconv.Itoa(testkit.FreePort(t)))
	p := serve(t, "run", "-c", "broker.listen=127.0.0.1:0", "-c", "broker.data="+data, "-c", "dashboard.listen="+addr, "-c", "cameras.porch.source=test:")
	testkit.Until(t, "it listens", func() bool { return strings.Contains(p.Err(), "dashboard listens") })
	b := testkit.OpenBrowser(t, "http://"+addr+"/", 390, 844)
	quiet(b)
	b.Allow("Cross-Origin-Opener-Policy") // Chromium heeds it on secure origins only, and says so
	b.Wait(`document.querySelector('#open')?.checkVisibility()`)
	shot(t, b, "login-open")
	logIn(b, "ann", ann)
	b.Wait(up + ` && ` + frames + ` > 3`)
	if got := offered(b); got != "Not encrypted ann Log out" {
		t.Errorf("the page says %q", got)
	}
	shot(t, b, "page-open")
}

// Who may look without an account sees no buttons that would be refused, and can log
// in for more.
func TestPageForWhoOnlyLooks(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	op := secretOf(t, "user", "add", "op", "--role", "operator", "--data", data)
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+data, "broker.anonymous=read", "cameras.porch.source=test:")
	b := testkit.OpenBrowser(t, h.http+"/", 0, 0)
	quiet(b)
	b.Wait(up + ` && document.querySelectorAll('cam-tile').length === 1`)
	const snap = `document.querySelector('cam-tile [data-part=snap]').checkVisibility()`
	if got := offered(b); got != "Log in" || testkit.Eval[bool](b, snap) {
		t.Errorf("the page offers %q, and to snap %v", got, testkit.Eval[bool](b, snap))
	}
	b.Click(`#account [data-part=enter]`)
	logIn(b, "op", op)
	b.Wait(up + ` && ` + frames + ` > 3 && ` + snap)
}

// The names of the configuration reach the page, and so does the address that Home
// Assistant is told; a name that somebody has pointed here does not.
func TestPageNames(t *testing.T) {
	t.Parallel()
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "dashboard.hosts=cams.example", "homeassistant.url=https://home.example/cams")
	for host, want := range map[string]int{"cams.example": 200, "home.example": 200, "localhost:1": 200, "evil.example": 421, "cams.example.evil.example": 421} {
		r, err := http.NewRequest(http.MethodGet, h.http+"/api/cameras", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Host %s: %d, want %d", host, resp.StatusCode, want)
		}
	}
}
