package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// enrolment is a hub with TLS and an admin, whose join strings go through door.
type enrolment struct {
	*secured
	data, boss, pictures string
	base                 string // of topics, "" for cam
}

func startEnrolment(t testing.TB, keys ...string) *enrolment {
	t.Helper()
	h := &enrolment{data: t.TempDir(), pictures: t.TempDir()}
	h.boss = secretOf(t, "user", "add", "boss", "--role", "admin", "--data", h.data)
	h.secured = startSecured(t, append([]string{"broker.data=" + h.data, "dashboard.tls.shared=true"}, keys...)...)
	testkit.Until(t, "the hub has said how it is reached", func() bool {
		text, err := os.ReadFile(filepath.Join(h.data, "invitations.json"))
		return err == nil && strings.Contains(string(text), h.pin)
	})
	return h
}

// invite is what a person does on the hub's machine.
func (h *enrolment) invite(t testing.TB, id string) string {
	t.Helper()
	args, code := []string{"user", "add", "--camera", id, "--data", h.data}, ""
	testkit.Until(t, "the hub knows that the camera is not online any more", func() bool {
		out, stderr, status := camqtt(t, args...)
		if code = strings.TrimSpace(string(out)); status != 0 && !strings.Contains(stderr, "it is online") {
			t.Fatalf("camqtt %v: exit %d, %s", args, status, stderr)
		}
		return status == 0
	})
	return code
}

// shows takes a picture as somebody who has an account.
func (h *enrolment) shows(t testing.TB, id string) {
	t.Helper()
	file := filepath.Join(h.pictures, id+".jpg")
	broker, flags := "wss://boss:"+h.boss+"@"+h.https+"/mqtt", []string{"--pin", h.pin, "--base", h.base}
	online(t, broker, id, flags...)
	must(t, append(flags, "snap", id, "--broker", broker, "-o", file)...)
	decode(t, read(t, file))
}

// comes runs a node and waits until it is with the hub.
func (h *enrolment) comes(t testing.TB, args ...string) *testkit.Program {
	t.Helper()
	n := serve(t, args...)
	testkit.Until(t, "the node is with the hub", func() bool {
		if n.Ended() {
			t.Fatalf("camqtt %v ended by itself\n%s", args, n.Err())
		}
		return strings.Contains(n.Err(), "broker connected")
	})
	return n
}

// A camera's machine comes in by one line of text, whichever port speaks TLS, and from
// then on by itself, until its account is removed.
func TestJoining(t *testing.T) {
	t.Parallel()
	for scheme, keys := range map[string][]string{"mqtts": nil, "wss": {"broker.tls.listen=", "base=site/cam"}} {
		t.Run(scheme, func(t *testing.T) {
			h := startEnrolment(t, keys...)
			if scheme == "wss" {
				h.base = "site/cam"
			}
			state := filepath.Join(t.TempDir(), "state")
			code := h.invite(t, "front")
			n := h.comes(t, "node", "--join", code, "--state", state, "--source", "test:")
			h.shows(t, "front")
			kept := filepath.Join(state, "front.yaml")
			if st, err := os.Stat(kept); err != nil || st.Mode().Perm() != 0o600 {
				t.Fatalf("%v, %v", st, err)
			}
			text := string(read(t, kept))
			token := regexp.MustCompile(`camqtt_[A-Za-z0-9_-]{43}`).FindString(text)
			if token == "" || !strings.Contains(text, scheme+"://127.0.0.1:") || !strings.Contains(text, h.pin) {
				t.Errorf("kept is\n%s", text)
			}
			for what, log := range map[string]string{"hub": h.Err(), "node": n.Err()} {
				if strings.Contains(log, code[:60]) || strings.Contains(log, code[60:]) || strings.Contains(log, token) {
					t.Errorf("a secret is in the log of the %s:\n%s", what, log)
				}
			}
			interrupt(t, n)

			n = h.comes(t, "node", "--state", state, "--source", "test:") // the next start
			h.shows(t, "front")
			interrupt(t, n)
			n = h.comes(t, "node", "front", "--join", code, "--state", state, "--source", "test:") // a service with fixed arguments
			interrupt(t, n)
			own := filepath.Join(t.TempDir(), "node.yaml")
			if err := os.WriteFile(own, []byte("cameras:\n  - id: front\n    source: test:320x240\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			n = h.comes(t, "run", "-c", own, "-c", kept) // with a file of its own
			h.shows(t, "front")
			interrupt(t, n)

			if _, stderr, status := camqtt(t, "node", "--join", code, "--state", t.TempDir(), "--source", "test:"); status != 2 || !strings.Contains(stderr, "used already") {
				t.Errorf("a second taker: exit %d, %s", status, stderr)
			}
			n = h.comes(t, "node", "--state", state, "--source", "test:")
			must(t, "user", "rm", "front", "--data", h.data)
			testkit.Until(t, "the node says why it is out", func() bool {
				return strings.Contains(n.Err(), "refused the user name or password")
			})
			interrupt(t, n)
			n = h.comes(t, "node", "--join", h.invite(t, "front"), "--state", state, "--source", "test:") // and in again
			h.shows(t, "front")
			interrupt(t, n)
		})
	}
}

// Somebody in between, on the way of the real program.
func TestJoiningThroughSomebodyElse(t *testing.T) {
	t.Parallel()
	h, other := startEnrolment(t), startEnrolment(t)
	code := secretOf(t, "user", "add", "--camera", "front", "--data", h.data, "--address", other.mqtts, "--address", h.mqtts)
	only := secretOf(t, "user", "add", "--camera", "yard", "--data", h.data, "--address", other.mqtts)
	state := t.TempDir()
	_, stderr, status := camqtt(t, "node", "--join", only, "--state", state, "--source", "test:")
	if status != 1 || !strings.Contains(stderr, "does not have the hub's key") || !strings.Contains(stderr, "not used up") {
		t.Errorf("exit %d, %s", status, stderr)
	}
	if all, err := os.ReadDir(state); err != nil || len(all) != 0 {
		t.Errorf("something is kept: %v %v", all, err)
	}
	n := h.comes(t, "node", "--join", code, "--state", state, "--source", "test:")
	h.shows(t, "front")
	interrupt(t, n)
	if strings.Contains(other.Err(), "joined") {
		t.Errorf("the other hub says\n%s", other.Err())
	}
}

// What cannot work says so before it begins, and what helps.
func TestJoiningRefused(t *testing.T) {
	t.Parallel()
	h := startEnrolment(t)
	state := t.TempDir()
	code := h.invite(t, "front")
	open := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(open, []byte(code+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	plain := t.TempDir()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+plain)
	testkit.Until(t, "the hub without TLS has said so", func() bool { _, err := os.Stat(filepath.Join(plain, "invitations.json")); return err == nil })
	for _, c := range []struct {
		status int
		want   []string
		args   []string
	}{
		{1, []string{"account for camera boss", "user rm boss"}, []string{"user", "add", "--camera", "boss", "--data", h.data}},
		{1, []string{"no hub has run", "--token"}, []string{"user", "add", "--camera", "front", "--data", t.TempDir()}},
		{1, []string{"speaks no TLS", "broker.tls.listen: 0.0.0.0:8883", "--token"}, []string{"user", "add", "--camera", "front", "--data", plain}},
		{2, []string{"want only a-z"}, []string{"user", "add", "--camera", "Front", "--data", h.data}},
		{2, []string{"which account"}, []string{"user", "add", "--camera", "front,yard", "--data", h.data}},
		{2, []string{"which account"}, []string{"user", "add", "--camera", "front", "--role", "viewer", "--data", h.data}},
		{2, []string{"no whole join string"}, []string{"node", "--join", code[:100], "--state", state, "--source", "test:"}},
		{2, []string{"for camera front, not yard"}, []string{"node", "yard", "--join", code, "--state", state, "--source", "test:"}},
		{2, []string{"want one of them"}, []string{"node", "--join", code, "--join-file", open, "--state", state}},
		{2, []string{"chmod 600"}, []string{"node", "--join-file", open, "--state", state, "--source", "test:"}},
		{2, []string{"no --broker"}, []string{"node", "--join", code, "--broker", "mqtt://127.0.0.1:1", "--state", state}},
		{2, []string{"which camera", "--join"}, []string{"node", "--state", state, "--source", "test:"}},
		{2, []string{"where do pictures come from"}, []string{"node", "front", "--state", state}},
		{2, []string{"--join-only: want --join"}, []string{"node", "--join-only", "--source", "test:"}},
	} {
		_, stderr, status := camqtt(t, c.args...)
		for _, w := range c.want {
			if status != c.status || !strings.Contains(stderr, w) {
				t.Errorf("camqtt %v: exit %d, %s: want %d and %q", c.args, status, stderr, c.status, w)
			}
		}
		if strings.Contains(stderr, code[20:]) {
			t.Errorf("camqtt %v repeats the join string", c.args)
		}
	}
	interrupt(t, hub.p)

	// Nothing of that has used it up; it is read from a file, or from standard input.
	if err := os.Chmod(open, 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "node", "--join-file", open, "--join-only", "--state", state)
	out, stderr, status := testkit.Run(t, "sh", "-c", binary+" user add --camera yard --qr --data "+h.data+" | STATE_DIRECTORY="+state+":/x "+binary+" node --join - --join-only")
	if status != 0 || len(out) != 0 || !strings.Contains(stderr, "█") {
		t.Errorf("from standard input: exit %d, %s%s", status, out, stderr)
	}
	if _, stderr, status := camqtt(t, "node", "--state", state, "--source", "test:"); status != 2 || !strings.Contains(stderr, "front, yard") {
		t.Errorf("two are kept: exit %d, %s", status, stderr)
	}
	interrupt(t, h.Program)
	if _, stderr, status := camqtt(t, "user", "add", "--camera", "attic", "--data", h.data); status != 1 || !strings.Contains(stderr, "start the hub first") {
		t.Errorf("with a hub that is not there: exit %d, %s", status, stderr)
	}
}

// Without a join string a token is carried by hand, as configuration to paste.
func TestTokenToPaste(t *testing.T) {
	t.Parallel()
	h := startEnrolment(t)
	pasted := filepath.Join(t.TempDir(), "node.yaml")
	yaml := must(t, "user", "add", "--camera", "front", "--token", "--data", h.data) + "cameras:\n  - id: front\n    source: \"test:\"\n"
	if err := os.WriteFile(pasted, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	n := h.comes(t, "run", "-c", pasted)
	h.shows(t, "front")
	interrupt(t, n)

	data := t.TempDir() // no hub has run here
	port := strconv.Itoa(testkit.FreePort(t))
	out := must(t, "user", "add", "--camera", "front", "--token", "-c", "broker.data="+data, "-c", "broker.listen=127.0.0.1:"+port, "-c", "base=site/cam")
	for _, want := range []string{`"mqtt://127.0.0.1:` + port + `"`, `username: "front"`, `password: "camqtt_`, `base: "site/cam"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

// A hub whose certificate the system trusts may get another key, so a node that joins it
// by its name pins none.
func TestJoiningByAuthority(t *testing.T) {
	t.Parallel()
	ca := testkit.NewAuthority(t)
	crt, key := ca.Issue("localhost", nil)
	h := startEnrolment(t, "broker.tls.cert="+crt, "broker.tls.key="+key, "broker.tls.names=localhost")
	state := t.TempDir()
	code := h.invite(t, "front")
	node := func(args ...string) *testkit.Program {
		t.Helper()
		return testkit.Start(t, "env", append([]string{"SSL_CERT_FILE=" + ca.File, binary, "node", "--state", state, "--source", "test:"}, args...)...)
	}
	n := node("--join", code)
	testkit.Until(t, "the node is with the hub", func() bool { return strings.Contains(n.Err(), "broker connected") })
	interrupt(t, n)
	if text := string(read(t, filepath.Join(state, "front.yaml"))); strings.Contains(text, "pin:") || !strings.Contains(text, "mqtts://localhost:") {
		t.Errorf("kept is\n%s", text)
	}
	interrupt(t, h.Program)
	newCrt, newKey := ca.Issue("localhost", nil)
	for fresh, old := range map[string]string{newCrt: crt, newKey: key} {
		if err := os.Rename(fresh, old); err != nil {
			t.Fatal(err)
		}
	}
	h.start(t)
	n = node()
	testkit.Until(t, "the node takes the new key", func() bool { return strings.Contains(n.Err(), "broker connected") })
	interrupt(t, n)
}

// A hub that asks for certificates asks for them here too.
func TestJoiningWithCertificate(t *testing.T) {
	t.Parallel()
	ca := testkit.NewAuthority(t)
	crt, key := ca.Issue("front", nil)
	h := startEnrolment(t, "broker.tls.client_ca="+ca.File)
	code := h.invite(t, "front")
	if _, stderr, status := camqtt(t, "node", "--join", code, "--state", t.TempDir(), "--source", "test:"); status != 1 || !strings.Contains(stderr, "certificate required") {
		t.Errorf("without a certificate: exit %d, %s", status, stderr)
	}
	state := t.TempDir()
	n := h.comes(t, "node", "--join", code, "--state", state, "--source", "test:", "--cert-file", crt, "--key-file", key)
	h.shows(t, "front")
	interrupt(t, n)
	n = h.comes(t, "node", "--state", state, "--source", "test:")
	interrupt(t, n)
}
