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
				"Put it at /etc/emqx/camqtt-acl.conf on every node, readable for emqx. In /etc/emqx/emqx.conf:",
				`  authentication = [{mechanism = password_based, backend = built_in_database, user_id_type = username}]`,
				`  authorization {`,
				`    no_match = deny, deny_action = ignore`,
				`    sources = [{type = file, enable = true, path = "/etc/emqx/camqtt-acl.conf"}]`,
				`  }`,
				"The default source, etc/acl.conf, ends with {allow, all}: it must not be beside this one.",
				"Give every account a password in the dashboard, Access Control, Authentication, Users; or over HTTP:",
				"  curl -u KEY:SECRET -H 'Content-Type: application/json' http://127.0.0.1:18083/api/v5/authentication/password_based:built_in_database/users \\",
				fmt.Sprintf(`    -d '{"user_id": "%s", "password": "..."}'`, all[0].name),
				"After a change: restart the node; or give the file to the dashboard, Access Control, Authorization, File, whose copy is used from then on.",
			}
		},
		differs: []string{
			"A retained message where the flag is not allowed is denied as a whole; camqtt's own broker drops only the flag.",
			"Whoever may publish a topic may have it as a will: a camera's will is not bound to its status.",
			"A filter is granted only when all under it may be read: cam/# is for nobody but admins, cam/+/status not for who is for listed cameras. Such accounts are for subscribers that name their cameras; the page and camqtt ls need one for all cameras.",
			"A + stands for any level, ids or not, _all included, NAME/# for NAME itself too, and at the end a + also grants #: a camera may subscribe to its set/#.",
			"Client identifiers belong to nobody: whoever has an account can take the place of another's connection.",
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
