package brokeracl_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"camqtt/internal/access"
	"camqtt/internal/brokeracl"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/rights"
	"camqtt/internal/wire"
)

// judge says whether an engine lets somebody publish or subscribe, as it would read its
// file; retained tells for publishing.
type judge func(user, action, topic string, retained bool) bool

// hold holds a judge to the table as may reads it, and to who is granted which wildcards.
func hold(t *testing.T, j judge, wild map[string]string, may func(p *party, topic, letter string) bool) {
	t.Helper()
	topics, cells := rights.Table(t)
	for _, a := range rights.Accounts() {
		p := &party{name: a.Name, topics: topics, table: cells}
		for _, topic := range topics {
			for letter, got := range map[string]bool{
				"p": j(a.Name, "publish", topic, false), "r": j(a.Name, "publish", topic, true), "s": j(a.Name, "subscribe", topic, false),
			} {
				if want := may(p, topic, letter); got != want {
					t.Errorf("%s, %s %s: %v, want %v", a.Name, letter, topic, got, want)
				}
			}
		}
		for filter, who := range wild {
			if got, want := j(a.Name, "subscribe", filter, false), slices.Contains(strings.Fields(who), a.Name); got != want {
				t.Errorf("%s, subscribe to %s: %v, want %v", a.Name, filter, got, want)
			}
		}
	}
	if j("stranger", "subscribe", "cam/front/frame", false) || j("stranger", "publish", "cam/front/cmd", false) {
		t.Error("who has no account may do something")
	}
}

func text(t *testing.T, o brokeracl.Options) string {
	t.Helper()
	b, err := brokeracl.Write(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// EMQX itself is not to be had here: its file is read as its documentation and
// emqx_topic.erl say.
func TestEMQX(t *testing.T) {
	rules, err := emqxRules(text(t, brokeracl.Options{Engine: "emqx", Accounts: rights.Accounts()}))
	if err != nil {
		t.Fatal(err)
	}
	if last := rules[len(rules)-1]; fmt.Sprint(last) != "[deny all]" {
		t.Errorf("the last rule is %v", last)
	}
	j := func(user, action, topic string, retained bool) bool {
		return emqxAllows(rules, user, action, topic, retained)
	}
	hold(t, j, filters(), func(p *party, topic, letter string) bool {
		if letter == "r" { // which it can tell apart
			return strings.Contains(p.table[topic][p.name], "r") || p.deletes(topic)
		}
		return p.may(topic, letter)
	})
	if !j("viewer", "subscribe", "$share/g/cam/front/frame", false) || j("viewer1", "subscribe", "$share/g/cam/other/frame", false) {
		t.Error("shared subscriptions do not follow their filter")
	}
	if !j("admin", "subscribe", "$SYS/#", false) || j("hass", "subscribe", "$SYS/#", false) {
		t.Error("$SYS")
	}
}

// RabbitMQ asks its expressions for topics with dots for slashes, and for filters with
// * for +. It needs no exceptions from the table, but that it cannot tell what is retained.
func TestRabbitMQ(t *testing.T) {
	var d struct {
		Permissions []struct{ User, Vhost, Configure, Write, Read string }
		Topics      []struct{ User, Vhost, Exchange, Write, Read string } `json:"topic_permissions"`
		About       []string                                              `json:"//"`
	}
	if err := json.Unmarshal([]byte(text(t, brokeracl.Options{Engine: "rabbitmq", Accounts: rights.Accounts()})), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Permissions) != len(rights.Accounts()) || len(d.Topics) != len(rights.Accounts()) || len(d.About) == 0 {
		t.Fatalf("%d permissions, %d of topics", len(d.Permissions), len(d.Topics))
	}
	for _, p := range d.Permissions {
		for _, x := range []string{p.Configure, p.Write, p.Read} {
			re := regexp.MustCompile(x)
			if !re.MatchString("mqtt-subscription-cam-frontqos1") || re.MatchString("other") || re.MatchString("amq.topic") == (x == p.Configure) {
				t.Errorf("%s: %s", p.User, x)
			}
		}
	}
	j := func(user, action, topic string, _ bool) bool {
		key := strings.NewReplacer("/", ".", "+", "*").Replace(topic)
		for _, p := range d.Topics {
			if p.User == user && p.Vhost == "/" && p.Exchange == "amq.topic" {
				x := p.Write
				if action == "subscribe" {
					x = p.Read
				}
				return regexp.MustCompile(x).MatchString(key)
			}
		}
		return false
	}
	wild := filters()
	wild["cam/front/set/#"] = "admin"
	hold(t, j, wild, func(p *party, topic, letter string) bool {
		if letter == "r" {
			letter = "p"
		}
		return strings.Contains(p.table[topic][p.name], letter) || letter == "p" && p.deletes(topic)
	})
	for _, topic := range []string{"cam/front/cmd\n", "\ncam/front/cmd", "cam/front/cmd|x"} {
		if j("viewer1", "publish", topic, false) || j("camera", "subscribe", topic, false) {
			t.Errorf("%q passes for a topic that is allowed", topic)
		}
	}
}

// Names that differ in little have passwords of their own, hashed or not, and the
// server does not start while one is missing.
func TestNATSPasswords(t *testing.T) {
	all := []access.Account{}
	passwords := ""
	variables := map[string]string{"a.b": "password_a_b", "a-b": "password_a_b_2", "A_B": "password_A_B_3", "1": "password_1"}
	for _, name := range []string{"a.b", "a-b", "A_B", "1"} {
		all = append(all, access.Account{Name: name, Role: access.Viewer, All: true})
		hash, err := bcrypt.GenerateFromPassword([]byte("secret of "+name), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		passwords += fmt.Sprintf("%s: %q\n", variables[name], hash)
	}
	dir := filepath.Dir(put(t, "nats", "camqtt-rights.conf", all))
	file := filepath.Join(dir, "camqtt-passwords.conf")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(passwords)
	addr := testkit.StartNATS(t, "include ../"+filepath.Base(dir)+"/camqtt-rights.conf").Addr
	for _, user := range all {
		for _, other := range all {
			c, err := testkit.NewMQTT(testkit.MQTTOptions{Addr: addr, ID: "x", User: user.Name, Password: "secret of " + other.Name})
			if err == nil {
				c.Close()
			}
			if (err == nil) != (user.Name == other.Name) {
				t.Errorf("%s comes in with the password of %s: %v", user.Name, other.Name, err)
			}
		}
	}
	_, without, _ := strings.Cut(passwords, "\n")
	write(without)
	server := testkit.GoTool(t, "nats-server", testkit.NATSServer)
	if out, err := exec.Command(server, "-t", "-c", filepath.Join(dir, "camqtt-rights.conf")).CombinedOutput(); err == nil || !strings.Contains(string(out), "password_a_b") {
		t.Errorf("without a password the server takes the configuration: %s", out)
	}
}

func TestWriteRefuses(t *testing.T) {
	viewer := []access.Account{{Name: "v", Role: access.Viewer, All: true}}
	for want, o := range map[string]brokeracl.Options{
		"want mosquitto, nats, emqx, rabbitmq": {Engine: "hivemq", Accounts: viewer},
		"no accounts":                          {Engine: "nats"},
		"account name":                         {Engine: "nats", Accounts: []access.Account{{Name: "a b", Role: access.Admin}}},
		"role":                                 {Engine: "nats", Accounts: []access.Account{{Name: "a", Role: access.Hub}}},
		"base":                                 {Engine: "nats", Accounts: viewer, Space: access.Space{Base: "a b"}},
		"discovery prefix":                     {Engine: "nats", Accounts: viewer, Space: access.Space{Discovery: "ha\"x"}},
		"topic":                                {Engine: "nats", Accounts: []access.Account{{Name: "c", Role: access.Camera, Cameras: []wire.ID{"c"}}}, Announce: func(wire.ID) []string { return []string{"a\nb"} }},
	} {
		if b, err := brokeracl.Write(o); err == nil || !strings.Contains(err.Error(), want) || b != nil {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	if _, err := brokeracl.Write(brokeracl.Options{Engine: "emqx"}); !errors.Is(err, brokeracl.ErrNoAccounts) {
		t.Errorf("no accounts: %v", err)
	}
	if brokeracl.Differences("hivemq") != nil {
		t.Error("differences of an engine that is not known")
	}
}

// The longest of everything is no reason to refuse.
func TestWriteLong(t *testing.T) {
	id := wire.ID(strings.Repeat("x", wire.MaxIDLength))
	o := brokeracl.Options{
		Space:    access.Space{Base: wire.Base(strings.Repeat("b/", 49) + "b"), Discovery: strings.Repeat("h", 100)},
		Accounts: []access.Account{{Name: strings.Repeat("n", 64), Role: access.Camera, Cameras: []wire.ID{id}}},
	}
	for _, o.Engine = range brokeracl.Names() {
		if !strings.Contains(text(t, o), string(id)) {
			t.Errorf("%s: no id", o.Engine)
		}
	}
}

// flat leaves of a text only its words, so that it can be found wherever lines end.
func flat(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("#", " ", "%", " ", `"`, " ", ",", " ").Replace(s)), " ")
}

// Several accounts of one name add up, and what is said of the file is true of it.
func TestWriteSums(t *testing.T) {
	o := brokeracl.Options{Accounts: []access.Account{
		{Name: "x", Role: access.Bridge, Cameras: []wire.ID{"a", "b"}}, {Name: "x", Role: access.Operator, All: true}, {Name: "root", Role: access.Admin},
	}}
	for _, o.Engine = range brokeracl.Names() {
		got := flat(text(t, o))
		for _, want := range append(brokeracl.Differences(o.Engine), "x: bridge of a b; operator of all", "root: admin of all", "camqtt acl --engine "+o.Engine, "Cameras cannot announce themselves") {
			if !strings.Contains(got, flat(want)) {
				t.Errorf("%s does not say %q", o.Engine, want)
			}
		}
	}
	o.Engine = "mosquitto"
	got := text(t, o)
	if strings.Count(got, "\nuser ") != 2 || !strings.Contains(got, "topic write cam/a/frame\n") || !strings.Contains(got, "topic read cam/+/frame\n") || !strings.Contains(got, "topic write cam/+/set\n") {
		t.Error(got)
	}
}
