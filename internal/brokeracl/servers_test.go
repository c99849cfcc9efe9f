package brokeracl_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"camqtt/internal/access"
	"camqtt/internal/brokeracl"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/rights"
	"camqtt/internal/wire"
)

const (
	secret = "a-password-of-tests"
)

// put writes the rights of the table's accounts into a folder and returns the file.
func put(t *testing.T, name, file string, all []access.Account) string {
	t.Helper()
	text, err := brokeracl.Write(brokeracl.Options{Engine: name, Accounts: all})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// mosquitto starts Mosquitto with the rights of the table, set up as the file says.
func mosquitto(t *testing.T) string {
	acl := put(t, "mosquitto", "camqtt.acl", rights.Accounts())
	passwords := filepath.Join(filepath.Dir(acl), "camqtt.passwd")
	if err := os.WriteFile(passwords, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, a := range rights.Accounts() {
		if _, text, status := testkit.Run(t, testkit.Tool(t, "mosquitto_passwd"), "-b", passwords, a.Name, secret); status != 0 {
			t.Fatalf("mosquitto_passwd: %s", text)
		}
	}
	// Started by root, the broker would become a user who may not look into the folder
	// of a test; started by others, it does not obey this.
	return testkit.StartMosquitto(t, "user root", "set_tcp_nodelay true", "allow_anonymous false", "password_file "+passwords, "acl_file "+acl).Addr
}

// nats starts NATS with the rights of the table, set up as the file says.
func nats(t *testing.T) string {
	file := put(t, "nats", "camqtt-rights.conf", rights.Accounts())
	var passwords strings.Builder
	for _, a := range rights.Accounts() {
		fmt.Fprintf(&passwords, "password_%s: %q\n", a.Name, secret)
	}
	dir := filepath.Dir(file)
	if err := os.WriteFile(filepath.Join(dir, "camqtt-passwords.conf"), []byte(passwords.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	// The server takes the path as relative to its own configuration, which is in a
	// folder beside this one.
	return testkit.StartNATS(t, "include ../"+filepath.Base(dir)+"/camqtt-rights.conf").Addr
}

// someone is a client with what it has received.
type someone struct {
	*testkit.MQTT

	mu  sync.Mutex
	got []wire.Message
}

func (s *someone) receive(m wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, m)
}

// heard returns the topics on which a payload has come, sorted, each once.
func (s *someone) heard(payload string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var topics []string
	for _, m := range s.got {
		if string(m.Payload) == payload {
			topics = append(topics, m.Topic)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// party is one column of the table at one server.
type party struct {
	addr, name string
	v5         bool
	exact      bool // a filter is granted only when all under it may be read
	topics     []string
	table      map[string]map[string]string
	hub        *someone // an admin, who sees everything
	n          int
	cases      int
}

// may is what the table says, with what no engine but the embedded broker can tell
// apart, as [engine.Differences] has it.
func (p *party) may(topic, letter string) bool {
	switch letter {
	case "r", "w":
		letter = "p"
	}
	if letter == "p" && p.deletes(topic) {
		return true
	}
	a := accountOf(p.name)
	if a.All && letter == "s" && (topic == "cam/Front/frame" || topic == "cam/_all/frame") {
		return true // a + stands for any level
	}
	if a.All && letter == "p" && topic == "cam/_all/set/fps" && a.Role != access.Viewer {
		return true // likewise
	}
	if a.Role == access.HomeAssistant && letter == "s" && topic == "homeassistant" {
		return true // homeassistant/# covers it
	}
	return strings.Contains(p.table[topic][p.name], letter)
}

// deletes reports whether a topic falls under what Home Assistant deletes devices by:
// no engine can tell that from writing.
func (p *party) deletes(topic string) bool {
	a := accountOf(p.name)
	levels := strings.Split(topic, "/")
	last := len(levels) - 1
	if a.Role != access.HomeAssistant || levels[0] != "homeassistant" || levels[last] != "config" {
		return false
	}
	return (last == 3 && levels[1] == "device" || last == 4) && (a.All || levels[2] == "camqtt_front")
}

func accountOf(name string) access.Account {
	all := rights.Accounts()
	return all[slices.IndexFunc(all, func(a access.Account) bool { return a.Name == name })]
}

func (p *party) with(letter string) []string {
	var out []string
	for _, topic := range p.topics {
		if p.may(topic, letter) {
			out = append(out, topic)
		}
	}
	slices.Sort(out)
	return out
}

// join connects under the name of an account.
func (p *party) join(t *testing.T, name string, will *wire.Message) *someone {
	t.Helper()
	p.n++
	s := &someone{}
	s.MQTT = testkit.DialMQTT(t, testkit.MQTTOptions{
		Addr: p.addr, V5: p.v5, ID: fmt.Sprintf("%s-%s-%d-%t", p.name, name, p.n, p.v5),
		User: name, Password: secret, Will: will, Receive: s.receive,
	})
	return s
}

// same compares topics.
func (p *party) same(t *testing.T, what string, got, want []string) {
	t.Helper()
	p.cases += len(p.topics)
	for _, x := range got {
		if !slices.Contains(want, x) {
			t.Errorf("%s: %s, against the rights", what, x)
		}
	}
	for _, x := range want {
		if !slices.Contains(got, x) {
			t.Errorf("%s: not %s, but it is a right", what, x)
		}
	}
}

// tell has the hub publish one payload everywhere, and waits until all is on its way.
func (p *party) tell(t *testing.T, payload string, retained bool) {
	t.Helper()
	for _, topic := range p.topics {
		must(t, p.hub.Publish(wire.Message{Topic: topic, Payload: []byte(payload), Retained: retained}))
	}
	must(t, p.hub.Ping())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says publishes everywhere, not retained and retained.
func (p *party) says(t *testing.T) {
	c := p.join(t, p.name, nil)
	for _, retained := range []bool{false, true} {
		payload := fmt.Sprintf("said by %s %t %t", p.name, p.v5, retained)
		for _, topic := range p.topics {
			must(t, c.Publish(wire.Message{Topic: topic, Payload: []byte(payload), QoS: 1, Retained: retained}))
		}
		must(t, p.hub.Ping())
		p.same(t, "published", p.hub.heard(payload), p.with("p"))
		if !retained {
			continue
		}
		p.same(t, "retained", p.kept(t, payload, p.with("r")), p.with("r"))
	}
	p.forget(t)
}

// kept returns on which topics a payload is retained, once want is. Servers may keep
// what they have acknowledged a moment later.
func (p *party) kept(t *testing.T, payload string, want []string) (got []string) {
	t.Helper()
	testkit.Until(t, "all that should be is retained", func() bool {
		late := p.join(t, "admin", nil)
		defer late.Close()
		_, err := late.Subscribe(0, "#")
		must(t, err)
		must(t, late.Ping())
		got = late.heard(payload)
		return len(got) >= len(want)
	})
	return got
}

// forget clears what is retained.
func (p *party) forget(t *testing.T) {
	t.Helper()
	for _, topic := range p.topics {
		must(t, p.hub.Publish(wire.Message{Topic: topic, Retained: true}))
	}
	testkit.Until(t, "nothing is retained", func() bool {
		late := p.join(t, "admin", nil)
		defer late.Close()
		_, err := late.Subscribe(0, "#")
		must(t, err)
		must(t, late.Ping())
		late.mu.Lock()
		defer late.mu.Unlock()
		return len(late.got) == 0
	})
}

// wills goes without a word, with a will on every topic.
func (p *party) wills(t *testing.T) {
	for _, retained := range []bool{false, true} {
		payload := fmt.Sprintf("will of %s %t %t", p.name, p.v5, retained)
		for _, topic := range p.topics {
			p.join(t, p.name, &wire.Message{Topic: topic, Payload: []byte(payload), Retained: retained}).Drop()
		}
		want := p.with("w")
		testkit.Until(t, "wills come", func() bool { return len(p.hub.heard(payload)) >= len(want) })
		must(t, p.hub.Ping())
		p.same(t, "will", p.hub.heard(payload), want)
		if retained {
			p.same(t, "retained will", p.kept(t, payload, want), want)
		}
	}
	p.forget(t)
}

// sees subscribes to every topic, and looks at what comes live and retained.
func (p *party) sees(t *testing.T) {
	payload := fmt.Sprintf("kept for %s %t", p.name, p.v5)
	p.tell(t, payload, true)
	p.kept(t, payload, p.topics)
	c := p.join(t, p.name, nil)
	for _, topic := range p.topics {
		codes, err := c.Subscribe(0, topic)
		must(t, err)
		if granted := codes[0] < 0x80; p.exact && granted != p.may(topic, "s") {
			t.Errorf("subscribe to %s: SUBACK %#x", topic, codes[0])
		}
	}
	must(t, c.Ping())
	p.same(t, "retained and seen", c.heard(payload), p.with("s"))
	live := fmt.Sprintf("live for %s %t", p.name, p.v5)
	p.tell(t, live, false)
	must(t, c.Ping())
	p.same(t, "seen", c.heard(live), p.with("s"))
	p.forget(t)
}

// matches reports whether a topic falls under a filter. [MQTT-4.7.1]
func matches(filter, topic string) bool {
	f, l := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i >= len(l):
			return false
		case level != "+" && level != l[i]:
			return false
		case i == len(l)-1 && i == len(f)-2 && f[i+1] == "#":
			return true // # also stands for the level above it
		}
	}
	return len(f) == len(l)
}

// filters are those with wildcards, with the columns to which an engine grants them
// that grants a filter only when all under it may be read.
func filters() map[string]string {
	return map[string]string{
		"#":                        "admin",
		"+/#":                      "admin",
		"cam/#":                    "admin",
		"cam/+/+":                  "admin",
		"cam/+/#":                  "admin",
		"cam/+/frame":              "viewer operator hass admin",
		"cam/+/status":             "viewer operator hass admin",
		"cam/+/snapshot/meta":      "viewer operator hass admin",
		"cam/+/cmd":                "admin",
		"cam/+/set/+":              "admin",
		"cam/front/#":              "admin",
		"cam/front/+":              "admin",
		"cam/front/set/+":          "camera bridge admin",
		"cam/front/set/#":          "camera bridge admin", // see engine.Differences
		"cam/other/#":              "admin",
		"cam/_all/+":               "admin",
		"+/front/frame":            "admin",
		"+/+/status":               "admin",
		"homeassistant/#":          "hass1 hass admin",
		"homeassistant/+":          "hass1 hass admin",
		"homeassistant/+/+/config": "hass1 hass admin",
		"elsewhere/#":              "admin",
	}
}

// patterns subscribes to wildcards, each on a connection of its own: NATS forgets to
// take back the half of NAME/# that is NAME.
func (p *party) patterns(t *testing.T) {
	for filter, who := range filters() {
		c := p.join(t, p.name, nil)
		granted := !p.exact || slices.Contains(strings.Fields(who), p.name)
		codes, err := c.Subscribe(0, filter)
		must(t, err)
		if got := codes[0] < 0x80; got != granted {
			t.Errorf("subscribe to %s: SUBACK %#x", filter, codes[0])
		}
		payload := "under " + filter
		p.tell(t, payload, false)
		must(t, c.Ping())
		var want []string
		for _, topic := range p.topics {
			if granted && matches(filter, topic) && (p.exact || p.may(topic, "s")) {
				want = append(want, topic)
			}
		}
		p.same(t, "under "+filter, c.heard(payload), want)
		c.Close()
	}
}

// strangers are refused: without an account, with an unknown one, with a wrong password.
func strangers(t *testing.T, addr string) {
	for _, o := range []testkit.MQTTOptions{{}, {User: "nobody", Password: secret}, {User: "admin", Password: "wrong"}, {User: "admin", Password: ""}} {
		o.Addr, o.ID = addr, "stranger"
		if c, err := testkit.NewMQTT(o); err == nil {
			c.Close()
			t.Errorf("user %q comes in", o.User)
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("user %q: %v", o.User, err)
		}
	}
}
