package brokeracl_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/brokeracl"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/rights"
	"camqtt/internal/wire"
)

// table tries every account on every topic, in every way a client has.
func table(t *testing.T, addr string, exact, v5 bool) {
	topics, cells := rights.Table(t)
	cases := 0
	for _, a := range rights.Accounts() {
		t.Run(fmt.Sprintf("%s-v5-%t", a.Name, v5), func(t *testing.T) {
			p := &party{addr: addr, name: a.Name, v5: v5, exact: exact, topics: topics, table: cells}
			p.hub = p.join(t, "admin", nil)
			_, err := p.hub.Subscribe(0, "#")
			must(t, err)
			p.says(t)
			p.sees(t)
			p.patterns(t)
			p.wills(t)
			cases += p.cases
		})
	}
	t.Logf("%d cases", cases)
}

func TestMosquitto(t *testing.T) {
	addr := mosquitto(t)
	strangers(t, addr)
	for _, v5 := range []bool{false, true} {
		table(t, addr, false, v5)
	}
}

func TestNATS(t *testing.T) {
	addr := nats(t)
	strangers(t, addr)
	table(t, addr, true, false)
}

// Shared subscriptions and topics of the server itself are no way round.
func TestSpecialFilters(t *testing.T) {
	type row struct {
		filter, who string // to whom it is granted, "" is nobody, "*" everybody
		sees        string // of them, who gets what comes
	}
	shared := "viewer1 viewer operator1 operator hass1 hass admin"
	for server, s := range map[string]struct {
		start func(*testing.T) string
		rows  []row
	}{
		"mosquitto": {mosquitto, []row{
			{"$share/g/cam/front/frame", "*", shared},
			{"$share/g/cam/other/frame", "*", "viewer operator hass admin"},
			{"$share/g/cam/+/cmd", "*", "camera bridge admin"},
			{"$SYS/#", "*", "admin"},
		}},
		"nats": {nats, []row{
			{"$share/g/cam/front/frame", "admin", ""}, // to NATS a topic like any other
			{"$share/g/cam/other/frame", "admin", ""},
			{"$MQTT/sub/#", "", ""},
			{"$MQTT/sub/+", "", ""},
			{"$MQTT/#", "", ""},
			{"$JS/#", "", ""},
			{"$SYS/#", "", ""},
		}},
	} {
		t.Run(server, func(t *testing.T) {
			topics, cells := rights.Table(t)
			addr := s.start(t)
			for _, a := range rights.Accounts() {
				p := &party{addr: addr, name: a.Name, topics: topics, table: cells}
				p.hub = p.join(t, "admin", nil)
				for _, r := range s.rows {
					c := p.join(t, a.Name, nil)
					codes, err := c.Subscribe(1, r.filter)
					must(t, err)
					in := func(who string) bool { return slices.Contains(strings.Fields(who), a.Name) || who == "*" }
					if granted := codes[0] < 0x80; granted != in(r.who) {
						t.Errorf("%s subscribes to %s: SUBACK %#x", a.Name, r.filter, codes[0])
					}
					p.tell(t, "x", false)
					must(t, c.Ping())
					c.mu.Lock()
					if got := len(c.got) > 0; got != in(r.sees) {
						t.Errorf("%s gets something under %s: %v", a.Name, r.filter, c.got)
					}
					c.mu.Unlock()
					c.Close()
				}
			}
		})
	}
}

// Who may do everything with topics does not govern the server that carries them.
func TestNATSAdmin(t *testing.T) {
	topics, cells := rights.Table(t)
	p := &party{addr: nats(t), name: "admin", exact: true, topics: topics, table: cells}
	p.hub = p.join(t, "admin", nil)
	for _, stream := range []string{"$MQTT_rmsgs", "$MQTT_msgs", "$MQTT_sess"} {
		must(t, p.hub.Publish(wire.Message{Topic: "$JS/API/STREAM/DELETE/" + stream, QoS: 1}))
	}
	must(t, p.hub.Ping())
	p.tell(t, "kept", true)
	if got := p.kept(t, "kept", topics); len(got) != len(topics) {
		t.Errorf("%d topics are retained, want %d", len(got), len(topics))
	}
}

// What the files say of client identifiers is so: whoever comes later has them.
func TestTakeover(t *testing.T) {
	for server, start := range map[string]func(*testing.T) string{"mosquitto": mosquitto, "nats": nats} {
		t.Run(server, func(t *testing.T) {
			o := testkit.MQTTOptions{Addr: start(t), ID: "cam-front", User: "camera", Password: secret}
			own := testkit.DialMQTT(t, o)
			o.User = "viewer1"
			testkit.DialMQTT(t, o)
			select {
			case <-own.Gone():
			case <-time.After(testkit.Patience):
				t.Error("the first keeps it")
			}
			said := strings.Join(brokeracl.Differences(server), "\n")
			if !strings.Contains(said, "Client identifiers are not reserved") {
				t.Errorf("that is not said:\n%s", said)
			}
		})
	}
}
