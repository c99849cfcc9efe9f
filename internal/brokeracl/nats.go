package brokeracl

import (
	"fmt"
	"strings"
)

// nats is a part of the configuration of a NATS server with MQTT.
func nats() form {
	return form{
		name: "nats", title: "NATS",
		setup: func(all []*holder) []string {
			lines := []string{
				"Install as /etc/nats/camqtt-rights.conf. In /etc/nats/nats.conf, without any other authorization or accounts:",
				"  server_name: cams",
				"  jetstream { store_dir: /var/lib/nats }",
				"  mqtt { port: 1883 }",
				"  include camqtt-rights.conf",
				"Write the passwords to /etc/nats/camqtt-passwords.conf, mode 0600, one line for each account and no others.",
				"The server does not start while one is missing.",
				"Hash each with: nats server passwd, or: htpasswd -nBC 11 x | cut -d: -f2",
			}
			for _, v := range variables(all) {
				lines = append(lines, "  "+v+`: "$2a$11$..."`)
			}
			return append(lines,
				"After a change: nats-server --signal reload.",
				"Cameras and page: mqtt.command_qos 0, where QoS 1 subscriptions are expensive.")
		},
		differs: []string{
			"An account can retain every topic that it can publish, and use it as a will: the will of a camera is not limited to its status. A will without permission is accepted at CONNECT, but not sent.",
			"A filter is granted only if every topic under it can be read: cam/# only for admins, cam/+/status only for accounts with all cameras. Accounts with listed cameras are for subscribers that name their cameras; the page and camqtt ls need an account for all cameras.",
			"A + matches any level, including _all, and NAME/# also matches NAME. At the end of a filter a + also grants #: a camera can subscribe to its set/#.",
			"Every account can subscribe to $MQTT.sub.>, where the server delivers QoS 1 messages; over MQTT it grants only the account's own.",
			"MQTT 3.1.1 only. Denied QoS 1 messages are acknowledged and dropped.",
			"Client identifiers are not reserved: every account can take over the connection of another.",
		},
		write: func(head []string, all []*holder) (string, error) {
			var b strings.Builder
			b.WriteString(comment("#", head))
			b.WriteString("\ninclude camqtt-passwords.conf\n\nauthorization {\n  users: [\n")
			for i, v := range variables(all) {
				all[i].nats(&b, v)
			}
			b.WriteString("  ]\n}\n")
			return b.String(), nil
		},
	}
}

// nats writes one user.
func (h *holder) nats(b *strings.Builder, variable string) {
	fmt.Fprintf(b, "    {\n      user: %q, password: $%s, allowed_connection_types: [\"MQTT\", \"MQTT_WS\"]\n", h.name, variable)
	b.WriteString("      permissions: {\n")
	publish := subjects(h.with(func(g grant) bool { return g.publish }))
	read := subjects(h.with(func(g grant) bool { return g.read }))
	var denySaying, denyReading []string
	if h.all { // > covers also what the server keeps and how it is governed
		publish, read = []string{">"}, []string{">"}
		denyReading = []string{"$JS.>", "$SYS.>", "$KV.>", "$O.>"}
		denySaying = append([]string{"$MQTT.>"}, denyReading...)
	}
	section(b, "publish", publish, denySaying)
	section(b, "subscribe", append(read, "$MQTT.sub.>"), denyReading)
	b.WriteString("      }\n    }\n")
}

func section(b *strings.Builder, name string, allow, deny []string) {
	fmt.Fprintf(b, "        %s: {\n", name)
	for _, part := range []struct {
		name     string
		subjects []string
	}{{"allow", allow}, {"deny", deny}} {
		if len(part.subjects) == 0 {
			continue
		}
		fmt.Fprintf(b, "          %s: [\n", part.name)
		for _, s := range part.subjects {
			fmt.Fprintf(b, "            %q\n", s)
		}
		b.WriteString("          ]\n")
	}
	b.WriteString("        }\n")
}

// subjects turns filters into what NATS has for them. A filter that ends with # is two
// there: what is below, and what is above that, which it covers too. [MQTT-4.7.1-2]
func subjects(filters []string) []string {
	var out []string
	for _, f := range filters {
		s := strings.NewReplacer("/", ".", "+", "*", "#", ">").Replace(f)
		if above, ok := strings.CutSuffix(s, ".>"); ok {
			out = append(out, above)
		}
		out = append(out, s)
	}
	return out
}

// variables names the passwords of all, each by another name: letters that the
// configuration would not take in one are replaced.
func variables(all []*holder) []string {
	out := make([]string, len(all))
	taken := map[string]bool{}
	for i, h := range all {
		name := "password_" + strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
				return r
			}
			return '_'
		}, h.name)
		out[i] = name
		// Keys of the configuration are the same in capitals.
		for n := 2; taken[strings.ToLower(out[i])]; n++ {
			out[i] = fmt.Sprintf("%s_%d", name, n)
		}
		taken[strings.ToLower(out[i])] = true
	}
	return out
}
