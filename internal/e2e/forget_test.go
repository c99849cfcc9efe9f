package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// Nothing is called forgotten that is not: not by an account that may not clear it, not by
// one that may not see it, and not a camera that there never was.
func TestForgetSaysWhatRemains(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	accounts := map[string]string{}
	for name, role := range map[string]string{"porch": "camera", "attic": "camera", "op": "operator", "boss": "admin"} {
		accounts[name] = secretOf(t, "user", "add", name, "--role", role, "--data", data)
	}
	h := withAccounts(t, data)
	at := func(name string) string { return as(h.mqtt, name, accounts[name]) }
	n := serve(t, "node", "porch", "--source", "test:", "--broker", at("porch"))
	online(t, at("op"), "porch")
	must(t, "snap", "porch", "--broker", at("op"), "-o", filepath.Join(t.TempDir(), "p.jpg"))
	interrupt(t, n)
	for _, c := range []struct{ who, id, say string }{
		{"op", "porch", "porch is not forgotten: the broker still keeps cam/porch/"},
		{"attic", "porch", "not known whether porch is forgotten"},
		{"boss", "nobody", "keeps nothing of a camera nobody"},
	} {
		if out, stderr, status := camqtt(t, "forget", c.id, "--broker", at(c.who)); status != 1 || !strings.Contains(stderr, c.say) {
			t.Errorf("forget %s as %s: exit %d, want 1 and %q:\n%s%s", c.id, c.who, status, c.say, out, stderr)
		}
	}
	if out := must(t, "forget", "porch", "--broker", at("boss")); out != "porch is forgotten\n" {
		t.Errorf("forget as an admin: %q", out)
	}
	if _, stderr, status := camqtt(t, "forget", "porch", "--broker", at("boss")); status != 1 {
		t.Errorf("forget again: exit %d %s", status, stderr)
	}
}

// The camera's own account may clear it, and says what it cannot see.
func TestForgetAsTheCamera(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	porch := secretOf(t, "user", "add", "porch", "--role", "camera", "--data", data)
	boss := secretOf(t, "user", "add", "boss", "--role", "admin", "--data", data)
	h := withAccounts(t, data)
	n := serve(t, "node", "porch", "--source", "test:", "--broker", as(h.mqtt, "porch", porch))
	online(t, as(h.mqtt, "boss", boss), "porch")
	interrupt(t, n)
	out, stderr, status := camqtt(t, "forget", "porch", "--broker", as(h.mqtt, "porch", porch))
	if status != 0 || out == nil || !strings.Contains(stderr, "may not read") {
		t.Errorf("forget as the camera: exit %d %s%s", status, out, stderr)
	}
	if _, stderr, status := camqtt(t, "forget", "porch", "--broker", as(h.mqtt, "boss", boss)); status != 1 || !strings.Contains(stderr, "keeps nothing") {
		t.Errorf("then as an admin: exit %d %s", status, stderr)
	}
}

// On a broker with rights of its own that says nothing of what it refuses, the same holds.
func TestForgetElsewhere(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "acl")
	if err := os.WriteFile(file, []byte("topic read #\ntopic write cam/+/cmd\nuser porch\ntopic readwrite #\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := testkit.StartMosquitto(t, "acl_file "+file, "user root")
	url := "mqtt://" + m.Addr
	n := serve(t, "node", "porch", "--source", "test:", "--broker", as(url, "porch", "x"))
	online(t, url, "porch")
	interrupt(t, n)
	if _, stderr, status := camqtt(t, "forget", "porch", "--broker", url); status != 1 || !strings.Contains(stderr, "is not forgotten") {
		t.Errorf("forget without the right: exit %d\n%s", status, stderr)
	}
	must(t, "forget", "porch", "--broker", as(url, "porch", "x"))
}
