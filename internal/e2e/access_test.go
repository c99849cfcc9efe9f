package e2e

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// secretOf runs a command that makes a secret and returns it.
func secretOf(t testing.TB, args ...string) string {
	t.Helper()
	return strings.TrimSpace(must(t, args...))
}

// withAccounts runs a hub on loopback that nobody enters without an account.
func withAccounts(t testing.TB, data string) *hub {
	t.Helper()
	return startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+data, "broker.anonymous=never")
}

func as(url, user, secret string) string {
	return strings.Replace(url, "://", "://"+user+":"+secret+"@", 1)
}

// answerOf asks a hub for a path.
func answerOf(t testing.TB, url string, login ...string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(login) == 2 {
		r.SetBasicAuth(login[0], login[1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// ready waits for a hub that asks for accounts.
func ready(t testing.TB, h *hub, user, secret string) {
	t.Helper()
	testkit.Until(t, "the hub is ready", func() bool {
		r, err := http.NewRequest(http.MethodGet, h.http+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(user, secret)
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
}

// gives waits until a page shows a camera's picture: it knows its cameras a moment after
// it is ready, and a moment after others do.
func gives(t testing.TB, page, id string, login ...string) {
	t.Helper()
	testkit.Until(t, "the page has a picture of "+id, func() bool {
		return answerOf(t, page+"/cam/"+id+"/snapshot.jpg", login...) == http.StatusOK
	})
}

// A hub, a camera and a person, each with an account: everything works as without, and
// nothing works with somebody else's.
func TestAccounts(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	token := secretOf(t, "user", "add", "porch", "--role", "camera", "--data", data)
	ann := secretOf(t, "user", "add", "ann", "--role", "viewer", "--camera", "porch", "--data", data)
	op := secretOf(t, "user", "add", "op", "--role", "operator", "--data", data)
	h := withAccounts(t, data)
	if strings.Contains(h.p.Err(), token) || strings.Contains(h.p.Err(), ann) {
		t.Error("a secret is in the log")
	}
	node := serve(t, "node", "porch", "--source", "test:", "--broker", as(h.mqtt, "porch", token))
	online(t, as(h.mqtt, "op", op), "porch")
	attic := secretOf(t, "user", "add", "attic", "--role", "camera", "--data", data)
	serve(t, "node", "attic", "--source", "test:", "--broker", as(h.mqtt, "attic", attic))
	online(t, as(h.mqtt, "op", op), "attic")

	dir := t.TempDir()
	must(t, "snap", "porch", "--broker", as(h.mqtt, "ann", ann), "-o", filepath.Join(dir, "a.jpg"))
	decode(t, read(t, filepath.Join(dir, "a.jpg")))
	if out := shows(t, as(h.mqtt, "ann", ann), regexp.MustCompile(`(?m)^porch `)); strings.Contains(out, "attic") {
		t.Errorf("ann sees\n%s", out)
	}
	host, port, _ := net.SplitHostPort(strings.TrimPrefix(h.mqtt, "mqtt://"))
	pic, stderr, code := testkit.Run(t, testkit.Tool(t, "mosquitto_rr"), "-h", host, "-p", port, "-u", "ann", "-P", ann,
		"-N", "-t", "cam/porch/cmd", "-e", "cam/porch/frame", "-m", "snap")
	if code != 0 {
		t.Fatalf("mosquitto_rr as ann: exit %d %s", code, stderr)
	}
	decode(t, pic)
	must(t, "set", "porch", "fps=3", "--broker", as(h.mqtt, "op", op))
	for name, c := range map[string]struct{ url, want string }{
		"none given":     {h.mqtt, "wants an account"},
		"wrong password": {as(h.mqtt, "ann", "not-the-password"), "refused the user name or password"},
		"no such user":   {as(h.mqtt, "bob", ann), "refused the user name or password"},
	} {
		if _, stderr, code := camqtt(t, "snap", "porch", "--broker", c.url, "-o", "-"); code != 1 || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "not-the-password") {
			t.Errorf("%s: exit %d, %s", name, code, stderr)
		}
	}
	if _, stderr, code := camqtt(t, "snap", "attic", "--broker", as(h.mqtt, "ann", ann), "-o", "-"); code != 1 || stderr == "" {
		t.Errorf("ann's snap of the attic: exit %d, %s", code, stderr)
	}
	gives(t, h.http, "porch", "ann", ann)
	for path, want := range map[string]int{"/healthz": 200, "/": 401, "/metrics": 401, "/cam/porch/snapshot.jpg": 401} {
		if got := answerOf(t, h.http+path); got != want {
			t.Errorf("%s without an account: %d, want %d", path, got, want)
		}
	}
	for path, want := range map[string]int{"/": 200, "/cam/porch/snapshot.jpg": 200, "/cam/attic/snapshot.jpg": 403} {
		if got := answerOf(t, h.http+path, "ann", ann); got != want {
			t.Errorf("%s as ann: %d, want %d", path, got, want)
		}
	}

	// A node whose account goes is cut off, and says why.
	must(t, "user", "rm", "porch", "--data", data)
	testkit.Until(t, "the node says why it is out", func() bool {
		return strings.Contains(node.Err(), "refused the user name or password")
	})
	h.kill()
	h.p = nil
	if out := must(t, "user", "ls", "--data", data); regexp.MustCompile(`(?m)^porch`).MatchString(out) || !strings.Contains(out, "ann") {
		t.Errorf("after a kill the accounts are\n%s", out)
	}
}

// A4: the page's own WebSocket with an account that sees one camera shows that one.
func TestPageWithAccount(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	ann := secretOf(t, "user", "add", "ann", "--role", "viewer", "--camera", "porch", "--data", data)
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+data,
		"cameras.porch.source=test:", "cameras.garden.source=test:")
	ready(t, h, "ann", ann)
	page := testkit.OpenBrowser(t, as(h.http, "ann", ann), 0, 0) // what stands in the address is not enough
	page.Allow("a request left the origin: " + as(h.http, "ann", ann) + "/")
	logIn(page, "ann", ann)
	page.Wait(`document.querySelectorAll('cam-tile').length === 1 && performance.getEntriesByName('first-picture').length > 0`)
}

// The page before a broker of somebody else has accounts of its own.
func TestAccountsBeforeAnotherBroker(t *testing.T) {
	t.Parallel()
	m := testkit.StartMosquitto(t)
	serve(t, "node", "porch", "--source", "test:", "--broker", "mqtt://"+m.Addr)
	online(t, "mqtt://"+m.Addr, "porch")
	data := t.TempDir()
	h := startHub(t, "mqtt.url=mqtt://"+m.Addr, "dashboard.data="+data)
	gives(t, h.http, "porch") // while there are no accounts
	ann := secretOf(t, "user", "add", "ann", "--role", "viewer", "-c", "dashboard.data="+data, "-c", "mqtt.url=mqtt://"+m.Addr)
	op := secretOf(t, "user", "add", "op", "--role", "operator", "--data", data)
	ready(t, h, "op", op)
	testkit.Until(t, "the page asks", func() bool { return answerOf(t, h.http+"/") == 401 })
	for _, c := range []struct {
		path, user, secret string
		want               int
	}{
		{"/cam/porch/snapshot.jpg", "ann", ann, 200},
		{"/mqtt", "ann", ann, 403}, // it would have the rights of the dashboard
		{"/mqtt", "op", op, 426},
		{"/mqtt", "op", ann, 401},
	} {
		if got := answerOf(t, h.http+c.path, c.user, c.secret); got != c.want {
			t.Errorf("%s as %s: %d, want %d", c.path, c.user, got, c.want)
		}
	}
	if got := answerOf(t, h.http+"/mqtt"); got != 401 {
		t.Errorf("/mqtt without an account: %d", got)
	}
}

// The first start where others can reach it makes an admin and says so once; without
// accounts, or with an open door, it does not start, and says what helps.
func TestNothingOpenToOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	args := []string{"run", "-c", "broker.listen=0.0.0.0:0", "-c", "broker.data=" + data, "-c", "dashboard.listen=127.0.0.1:0"}
	first := serve(t, args...)
	testkit.Until(t, "it listens", func() bool { return strings.Contains(first.Err(), "dashboard listens") })
	m := regexp.MustCompile(`user +admin\n +password +(\S+)`).FindStringSubmatch(first.Err())
	if m == nil {
		t.Fatalf("no password is shown:\n%s", first.Err())
	}
	port := regexp.MustCompile(`mqtt://(?:\[::\]|0\.0\.0\.0):(\d+)`).FindStringSubmatch(first.Err())
	if port == nil {
		t.Fatal(first.Err())
	}
	if out := must(t, "ls", "--broker", "mqtt://admin:"+m[1]+"@127.0.0.1:"+port[1], "--wait", "100ms"); strings.Contains(out, "refused") {
		t.Error(out)
	}
	if addr := outside(); addr != "" {
		if _, stderr, code := camqtt(t, "ls", "--broker", "mqtt://"+net.JoinHostPort(addr, port[1])); code != 1 || !strings.Contains(stderr, "wants an account") {
			t.Errorf("without an account from %s: exit %d, %s", addr, code, stderr)
		}
	}
	interrupt(t, first)
	second := serve(t, args...)
	testkit.Until(t, "it listens again", func() bool { return strings.Contains(second.Err(), "dashboard listens") })
	if strings.Contains(second.Err(), "password") {
		t.Errorf("the second start says\n%s", second.Err())
	}
	interrupt(t, second)

	refused := func(what string, want []string, args ...string) {
		t.Helper()
		_, stderr, code := camqtt(t, args...)
		for _, w := range want {
			if code != 2 || !strings.Contains(stderr, w) {
				t.Errorf("%s: exit %d, %s: want 2 and %q", what, code, stderr, w)
			}
		}
	}
	refused("an open door", []string{"user add"}, append(args, "-c", "broker.anonymous=all")...)
	refused("an open window", []string{"user add"}, append(args, "-c", "broker.anonymous=read")...)
	refused("an open page before another broker", []string{"user add"}, "run", "-c", "mqtt.url=mqtt://127.0.0.1:1", "-c", "dashboard.listen=0.0.0.0:0", "-c", "dashboard.anonymous=all")
	refused("no place for accounts", []string{"broker.data"}, append(args, "-c", "broker.data=")...)
	must(t, "user", "rm", "admin", "--data", data)
	refused("no account left", []string{"there is no account", "user add admin --role admin --data " + data}, args...)
	file := filepath.Join(data, "accounts.json")
	if err := os.WriteFile(file, []byte(`{"version":1,"acc`), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("a damaged file", []string{"is damaged", file + ".bak"}, args...)
	refused("a damaged file on loopback", []string{"is damaged"}, append(args, "-c", "broker.listen=127.0.0.1:0")...)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	refused("a file that others can read", []string{"chmod 600 " + file}, args...)
}

// outside is an address of this machine in its network; "" when it has none.
func outside() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return ""
}

// Accounts are managed by one command, whether the broker runs or not.
func TestUserCommand(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	file := filepath.Join(t.TempDir(), "hub.yaml")
	if err := os.WriteFile(file, []byte("broker:\n  data: "+data+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pw := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(pw, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A folder that is not the hub's is easily named by mistake, so it is said.
	if _, stderr, _ := camqtt(t, "user", "ls", "-c", file); !strings.Contains(stderr, "no accounts in "+data) {
		t.Errorf("a list of none says %q", stderr)
	}
	if _, stderr, status := camqtt(t, "user", "add", "first", "--role", "admin", "--password-file", pw, "-c", file); status != 0 || !strings.Contains(stderr, "first account in "+data) {
		t.Errorf("the first account: exit %d, %q", status, stderr)
	}
	if out := must(t, "user", "add", "ann", "--role", "viewer", "--password-file", pw, "-c", file); out != "" {
		t.Errorf("a chosen password is shown: %q", out)
	}
	token := secretOf(t, "user", "add", "tablet", "--role", "viewer", "--camera", "porch,garden", "--token", "-c", file)
	again := secretOf(t, "user", "passwd", "tablet", "-c", file)
	if token == again || !strings.HasPrefix(again, "camqtt_") {
		t.Errorf("tokens %q and %q", token, again)
	}
	must(t, "user", "set", "tablet", "--role", "operator", "--camera", "attic", "-c", file)
	out := must(t, "user", "ls", "-c", file)
	for _, want := range []string{`ann +viewer +password +all`, `tablet +operator +token +attic`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no line like %q in\n%s", want, out)
		}
	}
	for want, args := range map[string][]string{
		"1 the account exists":      {"add", "ann", "--role", "viewer"},
		"1 no such account":         {"rm", "bob"},
		"2 role \"\"":               {"set", "bob"},
		"2 role \"king\"":           {"add", "bob", "--role", "king"},
		"2 account name":            {"add", "b#b", "--role", "viewer"},
		"2 one for the role camera": {"add", "bob", "--role", "camera", "--camera", "a,b"},
		"2 those that the bridge":   {"add", "bob", "--role", "bridge"},
		"2 which account":           {"add"},
		"2 read the password":       {"passwd", "ann", "--password-file", "/nonexistent"},
		"2 unknown flag":            {"add", "bob", "--password", "x"}, // never in a list of processes
	} {
		code, text, _ := strings.Cut(want, " ")
		_, stderr, status := camqtt(t, append(append([]string{"user"}, args...), "-c", file)...)
		if strconv.Itoa(status) != code || !strings.Contains(stderr, text) {
			t.Errorf("user %v: exit %d, %s: want %s", args, status, stderr, want)
		}
	}
	if st, err := os.Stat(filepath.Join(data, "accounts.json")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if _, stderr, code := camqtt(t, "user", "frobnicate"); code != 2 || !strings.Contains(stderr, "unknown command") {
		t.Errorf("user frobnicate: exit %d, %s", code, stderr)
	}
	must(t, "user", "rm", "ann", "-c", file)
}
