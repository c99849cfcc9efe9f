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
				"Put it at /etc/nats/camqtt-rights.conf. In /etc/nats/nats.conf, beside no other authorization or accounts:",
				"  server_name: cams",
				"  jetstream { store_dir: /var/lib/nats }",
				"  mqtt { port: 1883 }",
				"  include camqtt-rights.conf",
				"The passwords go to /etc/nats/camqtt-passwords.conf, mode 0600, one line for each account and no more. The server does not",
				"start while one is missing. Hash each by: nats server passwd, or: htpasswd -nBC 11 x | cut -d: -f2",
			}
			for _, v := range variables(all) {
				lines = append(lines, "  "+v+`: "$2a$11$..."`)
			}
			return append(lines,
				"After a change: nats-server --signal reload. Cameras and page: mqtt.command_qos 0, where a subscription of QoS 1 is dear.")
		},
		differs: []string{
			"Whoever may publish a topic may also retain it and have it as a will: a camera's will is not bound to its status. A will that is not allowed is not refused at CONNECT; it is not sent.",
			"A filter is granted only when all under it may be read: cam/# is for nobody but admins, cam/+/status not for who is for listed cameras. Such accounts are for subscribers that name their cameras; the page and camqtt ls need one for all cameras.",
			"A + stands for any level, ids or not, _all included, NAME/# for NAME itself too, and at the end a + also grants #: a camera may subscribe to its set/#.",
			"Everybody may subscribe to $MQTT.sub.>, where the server hands out messages of QoS 1; over MQTT it grants nobody else's.",
			"MQTT 3.1.1 only. Messages of QoS 1 that are denied are acknowledged all the same, and dropped.",
			"Client identifiers belong to nobody: whoever has an account can take the place of another's connection.",
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
