package dashboard

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"camqtt/internal/access"
)

func serveAdmin(t *testing.T) (*closed, *inviter) {
	t.Helper()
	i, u := &inviter{}, &userFile{}
	c := serveClosed(t, access.AnonymousNever, Options{Enrol: i, Users: u})
	u.file = c.file
	return c, i
}

// An admin gets a join string for a camera that does not exist yet; nobody else does.
func TestInvite(t *testing.T) {
	c, i := serveAdmin(t)
	root := c.logIn(t, "root", c.tokens["root"])
	resp, body := post(t, c.url+"/api/enrol", `{"id":"front"}`, root...)
	var got struct {
		Join, Role string
		QR         []byte
		Expires    time.Time
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %q %v", resp.StatusCode, body, err)
	}
	if got.Join != "join-front-by-root" || string(got.QR) != "png" || got.Role != "camera" || time.Until(got.Expires) < 9*time.Minute {
		t.Errorf("%+v", got)
	}
	for body, want := range map[string]int{
		`{"id":"porch"}`: 409, `{"id":"Not an id"}`: 400, `{"id":"_all"}`: 400, `{"id":"../x"}`: 400, `{}`: 400, `{"id":1}`: 400, `{"id":"a","b":1}`: 400, `{`: 400,
		`{"id":"` + strings.Repeat("x", maxJSON) + `"}`: 400,
	} {
		if resp, text := post(t, c.url+"/api/enrol", body, root...); resp.StatusCode != want {
			t.Errorf("%.40s: %d %.100q, want %d", body, resp.StatusCode, text, want)
		}
	}
	for _, user := range []string{"op", "ann", "annie"} {
		password := c.tokens[user]
		if user == "annie" {
			password = annPassword
		}
		if resp, _ := post(t, c.url+"/api/enrol", `{"id":"attic"}`, c.logIn(t, user, password)...); resp.StatusCode != 403 {
			t.Errorf("%s invites: %d", user, resp.StatusCode)
		}
	}
	if len(i.asked) != 1 {
		t.Errorf("invited: %v", i.asked)
	}
}

// An admin sees, makes and removes accounts; secrets are shown once, and one's own
// account stays.
func TestUsers(t *testing.T) {
	c, _ := serveAdmin(t)
	c.follows(t)
	root := c.logIn(t, "root", c.tokens["root"])
	for body, want := range map[string]int{
		`{"name":"bob","role":"viewer","cameras":["porch"]}`:                                         200,
		`{"name":"eve","role":"operator","cameras":["*"]}`:                                           200,
		`{"name":"attic","role":"camera","cameras":["attic"]}`:                                       200,
		`{"name":"ann","role":"viewer","cameras":["*"]}`:                                             409,
		`{"name":"ANN","role":"viewer","cameras":["*"]}`:                                             409,
		`{"name":"a b","role":"viewer","cameras":["*"]}`:                                             400,
		`{"name":"x\u0000y","role":"viewer","cameras":["*"]}`:                                        400,
		`{"name":"x","role":"king","cameras":["*"]}`:                                                 400,
		`{"name":"x","role":"bridge","cameras":["*"]}`:                                               400,
		`{"name":"x","role":"camera","cameras":["*"]}`:                                               400,
		`{"name":"x","role":"viewer"}`:                                                               400,
		`{"name":"x","role":"viewer","cameras":[]}`:                                                  400,
		`{"name":"x","role":"viewer","cameras":null}`:                                                400,
		`{"name":"x","role":"viewer","cameras":["porch","*"]}`:                                       400,
		`{"name":"x","role":"viewer","cameras":["porch"],"cameras":["*"]}`:                           400,
		`{"name":"x","role":"viewer","cameras":["porch"],"Cameras":["*"]}`:                           400,
		`{"name":"x","role":"viewer","cameras":["porch"]} {"role":"admin"}`:                          400,
		`{"name":"x","role":"viewer","cameras":["NO"]}`:                                              400,
		`{"name":"x","role":"viewer","cameras":["*"],"password":"short"}`:                            422,
		`{"name":"pat","role":"viewer","cameras":["*"],"password":"a long enough one of their own"}`: 200,
		`{"name":"x","role":"viewer","cameras":["` + strings.Repeat("x", maxJSON) + `"]}`:            400,
	} {
		resp, text := post(t, c.url+"/api/users", body, root...)
		if resp.StatusCode != want {
			t.Errorf("%.60s: %d %.100q, want %d", body, resp.StatusCode, text, want)
		}
		if want == 200 && strings.Contains(text, `"secret":""`) != strings.Contains(body, "password") {
			t.Errorf("%s: %s", body, text)
		}
	}
	_, text := ask(t, "GET", c.url+"/api/users", root...)
	var all []account
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	seen := map[string]account{}
	for _, a := range all {
		seen[a.Name] = a
	}
	if len(all) != 9 || !seen["root"].Self || !seen["root"].All || seen["bob"].Self || seen["bob"].Role != "viewer" || len(seen["bob"].Cameras) != 1 || !seen["eve"].All || seen["attic"].Cameras[0] != "attic" {
		t.Errorf("accounts %s", text)
	}
	for _, secret := range []string{"argon", "sha256", "secret"} {
		if strings.Contains(text, secret) {
			t.Errorf("the list has %s: %s", secret, text)
		}
	}
	for name, want := range map[string]int{"bob": 204, "nobody": 404, "root": 409, "..%2Fx": 404} {
		if resp, text := askWith(t, "DELETE", c.url+"/api/users/"+name, "", root...); resp.StatusCode != want {
			t.Errorf("DELETE %s: %d %q, want %d", name, resp.StatusCode, text, want)
		}
	}
	if c.status(t, "/", root...) != 200 {
		t.Error("the admin's own session ended")
	}
}
