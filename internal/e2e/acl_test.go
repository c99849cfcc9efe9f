package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

const passwordOfTests = "a-password-of-tests"

// aclAccounts are the arguments with which the files in configs/brokers are made.
func aclAccounts() []string {
	return []string{"--camera", "front,garden", "--operator", "dashboard", "--homeassistant", "homeassistant", "--viewer", "guest=front"}
}

// The examples are what the program writes.
func TestBrokerExamples(t *testing.T) {
	t.Parallel()
	for engine, file := range map[string]string{
		"mosquitto": "mosquitto.acl", "nats": "nats-rights.conf", "emqx": "emqx-acl.conf", "rabbitmq": "rabbitmq.json",
	} {
		path := filepath.Join("configs", "brokers", file)
		got := must(t, append([]string{"acl", "--engine", engine}, aclAccounts()...)...)
		if want, err := os.ReadFile(path); err != nil || string(want) != got {
			t.Errorf("%s is not what camqtt acl writes (%v). Try: go run . acl --engine %s %s -o %s", path, err, engine, strings.Join(aclAccounts(), " "), path)
		}
		out := filepath.Join(t.TempDir(), file)
		if text := must(t, append([]string{"acl", "--engine", engine, "-o", out}, aclAccounts()...)...); text != "" {
			t.Errorf("with -o, standard output has %q", text)
		}
		if string(read(t, out)) != got {
			t.Errorf("%s: -o writes something else", engine)
		}
	}
}

// accountsIn returns the lines about accounts in a file's comment.
func accountsIn(t *testing.T, args ...string) string {
	t.Helper()
	text := must(t, append([]string{"acl", "--engine", "mosquitto"}, args...)...)
	_, rest, _ := strings.Cut(text, "# Accounts:\n")
	list, _, ok := strings.Cut(rest, "#\n")
	if !ok {
		t.Fatalf("no list of accounts in:\n%s", text)
	}
	return strings.ReplaceAll(list, "#   ", "")
}

// Accounts come from flags, from what a configuration needs, and from the embedded
// broker.
func TestACLAccounts(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.Chmod(data, 0o700); err != nil {
		t.Fatal(err)
	}
	must(t, "user", "add", "ann", "--role", "viewer", "--data", data)
	must(t, "user", "add", "both", "--role", "bridge", "--camera", "a,b", "--data", data)
	camera := []string{"-c", "cameras.porch.source=test:", "-c", "mqtt.url=mqtt://host"}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{
			"flags",
			[]string{"--camera", "a,b", "--camera", "c", "--viewer", "v=a,b", "--viewer", "w", "--admin", "root", "--bridge", "x=a,b"},
			"a: camera of a\nb: camera of b\nc: camera of c\nx: bridge of a b\nv: viewer of a b\nw: viewer of all\nroot: admin of all\n",
		},
		{"accounts of the broker", []string{"--data", data}, "ann: viewer of all\nboth: bridge of a b\n"},
		{"accounts of the configured broker", []string{"-c", "broker.data=" + data, "--camera", "front"}, "ann: viewer of all\nboth: bridge of a b\nfront: camera of front\n"},
		{"cameras", camera, "porch: camera of porch\n"},
		{"cameras and page", append(camera, "-c", "dashboard="), "porch: camera of porch\ndashboard: operator of all\n"},
		{"said twice", append(camera, "--camera", "porch"), "porch: camera of porch\n"},
		{"one user for all", append(camera, "-c", "cameras.side.source=test:", "-c", "mqtt.username=n1", "-c", "mqtt.password=x", "-c", "dashboard="), "n1: bridge of porch side; operator of all\n"},
		{"user in the URL", []string{"-c", "cameras.porch.source=test:", "-c", "mqtt.url=mqtt://n2:x@host"}, "n2: camera of porch\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := accountsIn(t, c.args...); got != c.want {
				t.Errorf("accounts\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestACLSpace(t *testing.T) {
	t.Parallel()
	text := must(t, "acl", "--engine", "mosquitto", "--camera", "front", "--base", "site/cam", "--discovery-prefix", "ha", "--announce")
	for _, line := range []string{"topic write site/cam/front/frame\n", "topic read site/cam/_all/cmd\n", "topic read ha/status\n", "topic write ha/device/camqtt_front/config\n", "topic write ha/camera/camqtt_front/camera/config\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("no line %q", line)
		}
	}
	if strings.Contains(text, " cam/") && !strings.Contains(text, "cam/# is for") {
		t.Error("topics of another base")
	}
	if text := must(t, "acl", "--engine", "mosquitto", "--camera", "front"); strings.Contains(text, "write homeassistant") {
		t.Error("cameras may announce themselves without --announce")
	}
}

// No name, id or topic gets further than a message.
func TestACLRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ want, args string }{
		{"engine \"\"", "--camera|front"},
		{"engine \"vernemq\": want mosquitto, nats, emqx, rabbitmq", "--engine|vernemq|--camera|front"},
		{"no accounts", "--engine|nats"},
		{"camera id", "--engine|nats|--camera|Front"},
		{"camera id", "--engine|mosquitto|--camera|front\ntopic readwrite #"},
		{"account name", "--engine|mosquitto|--viewer|ann\nuser eve"},
		{"account name", "--engine|emqx|--viewer|ann\"}, all, [\"#\"]}.%"},
		{"account name", "--engine|nats|--operator|"},
		{"camera id", "--engine|rabbitmq|--viewer|ann=*"},
		{"no cameras", "--engine|rabbitmq|--bridge|b"},
		{"list of them", "--engine|nats|--admin|root=front"},
		{"base", "--engine|nats|--camera|front|--base|cam/#"},
		{"prefix", "--engine|nats|--camera|front|--discovery-prefix|a b"},
		{"discovery prefix", "--engine|nats|--camera|front|--discovery-prefix|a\"b"},
		{"accepts 0 arg(s)|unknown command", "extra"},
	} {
		out, stderr, status := camqtt(t, append([]string{"acl"}, strings.Split(c.args, "|")...)...)
		ok := false
		for _, w := range strings.Split(c.want, "|") {
			ok = ok || strings.Contains(stderr, w)
		}
		if status != 2 || len(out) > 0 || !ok {
			t.Errorf("acl %q: status %d, output %q, message %q; want 2 and %q", c.args, status, out, stderr, c.want)
		}
	}
}

// engines are the brokers that are here to try it on: each started with what camqtt acl
// has written, as its comment says.
func engines(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	names := []string{"front", "garden", "dashboard", "homeassistant", "guest"}
	acl, passwords := filepath.Join(dir, "camqtt.acl"), filepath.Join(dir, "camqtt.passwd")
	must(t, append([]string{"acl", "--engine", "mosquitto", "-o", acl}, aclAccounts()...)...)
	if err := os.WriteFile(passwords, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	conf := ""
	for _, n := range names {
		if _, text, status := testkit.Run(t, testkit.Tool(t, "mosquitto_passwd"), "-b", passwords, n, passwordOfTests); status != 0 {
			t.Fatal(text)
		}
		conf += "password_" + n + ": \"" + passwordOfTests + "\"\n"
	}
	must(t, append([]string{"acl", "--engine", "nats", "-o", filepath.Join(dir, "camqtt-rights.conf")}, aclAccounts()...)...)
	if err := os.WriteFile(filepath.Join(dir, "camqtt-passwords.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"mosquitto": testkit.StartMosquitto(t, "user root", "allow_anonymous false", "password_file "+passwords, "acl_file "+acl).Addr,
		"nats":      testkit.StartNATS(t, "include ../"+filepath.Base(dir)+"/camqtt-rights.conf").Addr,
	}
}

// The product runs on other brokers with just the rights that it writes for them:
// cameras serve, an operator sees and sets, a guest snaps his camera and no other.
func TestRightsElsewhere(t *testing.T) {
	t.Parallel()
	for engine, addr := range engines(t) {
		t.Run(engine, func(t *testing.T) {
			as := func(user string) string { return "mqtt://" + user + ":" + passwordOfTests + "@" + addr }
			for _, id := range []string{"front", "garden"} {
				serve(t, "node", id, "--source", "test:160x120", "--broker", as(id))
				online(t, as("dashboard"), id)
			}
			testkit.Until(t, "ls lists both", func() bool {
				var all []struct{ ID string }
				if err := json.Unmarshal([]byte(must(t, "ls", "--json", "--broker", as("dashboard"))), &all); err != nil || len(all) > 2 {
					t.Fatalf("ls: %v, %v", all, err)
				}
				return len(all) == 2
			})
			jpg := filepath.Join(t.TempDir(), "x.jpg")
			for _, user := range []string{"dashboard", "homeassistant"} {
				must(t, "set", "garden", "fps=3", "--broker", as(user))
				must(t, "start", "garden", "--for", "1s", "--broker", as(user))
			}
			snaps := map[string]string{"dashboard": "garden", "homeassistant": "front"}
			if engine == "mosquitto" { // NATS does not let a guest look for his camera with a wildcard
				snaps["guest"] = "front"
			}
			for user, id := range snaps {
				must(t, "snap", id, "-o", jpg, "--broker", as(user))
				if b := decode(t, read(t, jpg)).Bounds(); b.Dx() != 160 {
					t.Errorf("%s: a picture %d wide", user, b.Dx())
				}
			}
			if _, stderr, status := camqtt(t, "snap", "garden", "-o", jpg, "--broker", as("guest")); status != 1 {
				t.Errorf("guest snaps a camera that is not his: status %d, %s", status, stderr)
			}
		})
	}
}
