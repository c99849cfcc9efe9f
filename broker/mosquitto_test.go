package broker

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// tool finds a program of mosquitto-clients.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("%s is missing", name)
	}
	return path
}

// Other people's clients: publish and subscribe with every protocol version, a will, a
// retained picture, and request and response.
func TestMosquittoClients(t *testing.T) {
	pub, sub, rr := tool(t, "mosquitto_pub"), tool(t, "mosquitto_sub"), tool(t, "mosquitto_rr")
	b := start(t, Options{})
	_, port, err := net.SplitHostPort(b.addr)
	if err != nil {
		t.Fatal(err)
	}
	jpeg := filepath.Join(t.TempDir(), "p.jpg")
	body := bytes.Repeat([]byte("jpeg"), 20000)
	if err := os.WriteFile(jpeg, body, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, append([]string{"-h", "127.0.0.1", "-p", port}, args...)...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %q: %v: %s", filepath.Base(name), args, err, errs.String())
		}
		return out
	}
	retained := func(topic, payload string) { // mosquitto_pub does not wait for the broker at QoS 0
		t.Helper()
		testkit.Until(t, topic+" is retained", func() bool {
			b.retained.mu.RLock()
			defer b.retained.mu.RUnlock()
			m := b.retained.m[topic]
			return m != nil && string(m.payload.Bytes) == payload
		})
	}
	for _, v := range []string{"mqttv31", "mqttv311", "mqttv5"} {
		run(pub, "-V", v, "-t", "cam/front/snapshot", "-f", jpeg, "-r")
		retained("cam/front/snapshot", string(body))
		if got := run(sub, "-V", v, "-t", "cam/+/snapshot", "-C", "1", "-N", "-W", "50"); !bytes.Equal(got, body) {
			t.Errorf("%s: retained picture of %d bytes, wanted %d", v, len(got), len(body))
		}
		for _, qos := range []string{"0", "1", "2"} {
			run(pub, "-V", v, "-t", "state", "-m", v+qos, "-q", qos, "-r")
			retained("state", v+qos)
			if got := run(sub, "-V", v, "-t", "state", "-q", qos, "-C", "1", "-W", "50"); strings.TrimSpace(string(got)) != v+qos {
				t.Errorf("%s QoS %s: got %q", v, qos, got)
			}
		}
	}
	// A request is answered by whoever has the topic; the asker names where.
	answer := exec.CommandContext(t.Context(), sub, "-h", "127.0.0.1", "-p", port, "-V", "mqttv5", "-t", "ask", "-C", "1", "-F", "%R", "-W", "50")
	var to bytes.Buffer
	answer.Stdout = &to
	if err := answer.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "subscription", func() bool { return receivers(b.subs, "ask") == 1 })
	answered := make(chan struct{})
	go func() { // ends when the question has come
		defer close(answered)
		if err := answer.Wait(); err != nil {
			t.Errorf("waiting for the question: %v", err)
			return
		}
		run(pub, "-V", "mqttv5", "-t", strings.TrimSpace(to.String()), "-m", "42", "-q", "1")
	}()
	if got := run(rr, "-V", "mqttv5", "-t", "ask", "-e", "answers/1", "-m", "?", "-q", "1", "-W", "50"); strings.TrimSpace(string(got)) != "42" {
		t.Errorf("mosquitto_rr got %q, wanted 42", got)
	}
	<-answered
	// The will of a killed client.
	watch := join(t, b.addr, "watch", 4)
	watch.subscribe(t, 1, "cam/x/status")
	mortal := exec.Command(sub, "-h", "127.0.0.1", "-p", port, "-t", "nothing", "--will-topic", "cam/x/status", "--will-payload", "offline", "--will-retain", "--will-qos", "1")
	if err := mortal.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "connected", func() bool { return receivers(b.subs, "nothing") == 1 })
	_ = mortal.Process.Kill()
	_ = mortal.Wait()
	if pk := watch.message(t); string(pk.Payload) != "offline" {
		t.Errorf("will %q", pk.Payload)
	}
}
