package brokeracl

import (
	"fmt"
	"strings"
)

// emqx is the file of EMQX's authorization source "file", of version 5.1.1 and later,
// which can tell retained messages from others.
func emqx() form {
	return form{
		name: "emqx", title: "EMQX",
		setup: func(all []*holder) []string {
			return []string{
				"Install as /etc/emqx/camqtt-acl.conf on every node, readable by emqx. In /etc/emqx/emqx.conf:",
				`  authentication = [{mechanism = password_based, backend = built_in_database, user_id_type = username}]`,
				`  authorization {`,
				`    no_match = deny, deny_action = ignore`,
				`    sources = [{type = file, enable = true, path = "/etc/emqx/camqtt-acl.conf"}]`,
				`  }`,
				"The default source, etc/acl.conf, ends with {allow, all}: remove it.",
				"Give every account a password in the dashboard, Access Control, Authentication, Users; or over HTTP:",
				"  curl -u KEY:SECRET -H 'Content-Type: application/json' http://127.0.0.1:18083/api/v5/authentication/password_based:built_in_database/users \\",
				fmt.Sprintf(`    -d '{"user_id": "%s", "password": "..."}'`, all[0].name),
				"After a change: restart the node; or upload the file in the dashboard, Access Control, Authorization, File; EMQX then uses its own copy.",
			}
		},
		differs: []string{
			"A message that must not be retained is denied; camqtt's own broker only removes the flag.",
			"An account can use every topic that it can publish as a will: the will of a camera is not limited to its status.",
			"A filter is granted only if every topic under it can be read: cam/# only for admins, cam/+/status only for accounts with all cameras. Accounts with listed cameras are for subscribers that name their cameras; the page and camqtt ls need an account for all cameras.",
			"A + matches any level, including _all, and NAME/# also matches NAME. At the end of a filter a + also grants #: a camera can subscribe to its set/#.",
			"Client identifiers are not reserved: every account can take over the connection of another.",
		},
		write: func(head []string, all []*holder) (string, error) {
			var b strings.Builder
			b.WriteString(comment("%%", head))
			for _, h := range all {
				b.WriteString("\n")
				rule := func(action string, filters []string) {
					if len(filters) > 0 {
						fmt.Fprintf(&b, "{allow, {username, %s}, %s, [%s]}.\n", erlang(h.name), action, list(filters))
					}
				}
				if h.all {
					rule("all", []string{"#"})
					rule("subscribe", []string{"$SYS/#"})
					continue
				}
				rule("publish", h.with(func(g grant) bool { return g.publish && g.retain }))
				rule("{publish, [{retain, false}]}", h.with(func(g grant) bool { return g.publish && !g.retain }))
				rule("subscribe", h.with(func(g grant) bool { return g.read }))
			}
			b.WriteString("\n{deny, all}.\n")
			return b.String(), nil
		},
	}
}

func list(filters []string) string {
	quoted := make([]string, len(filters))
	for i, f := range filters {
		quoted[i] = erlang(f)
	}
	return strings.Join(quoted, ", ")
}

// erlang quotes a string as Erlang has them.
func erlang(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
