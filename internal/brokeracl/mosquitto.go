package brokeracl

import (
	"fmt"
	"strings"
)

// mosquitto is Eclipse Mosquitto's acl_file, of version 1.6 and later.
func mosquitto() form {
	return form{
		name: "mosquitto", title: "Mosquitto",
		setup: func(all []*holder) []string {
			return []string{
				"Put it where the broker alone can read it:",
				"  install -o root -g mosquitto -m 640 FILE /etc/mosquitto/camqtt.acl",
				"In /etc/mosquitto/conf.d/camqtt.conf (as of 2.1 the same two files also go to the acl-file and password-file plugins):",
				"  allow_anonymous false",
				"  password_file /etc/mosquitto/camqtt.passwd",
				"  acl_file /etc/mosquitto/camqtt.acl",
				"Give every account a password; this asks for it. -c makes the file, so only with the first:",
				"  mosquitto_passwd -c /etc/mosquitto/camqtt.passwd " + all[0].name,
				"Afterwards, and after every change: systemctl reload mosquitto",
			}
		},
		differs: []string{
			"Every subscription is granted; what may not be read is not delivered. A mistyped filter is silent.",
			"Whoever may publish a topic may also retain it and have it as a will: a camera's will is not bound to its status, and commands can be retained (cameras do not obey those).",
			"A + stands for any level, ids or not, _all included.",
			"Client identifiers belong to nobody: whoever has an account can take the place of another's connection.",
		},
		write: func(head []string, all []*holder) (string, error) {
			var b strings.Builder
			b.WriteString(comment("#", head))
			for _, h := range all {
				fmt.Fprintf(&b, "\nuser %s\n", h.name)
				if h.all {
					b.WriteString("topic readwrite #\ntopic read $SYS/#\n")
					continue
				}
				for _, g := range h.grants {
					fmt.Fprintf(&b, "topic %s %s\n", mode(g), g.filter)
				}
			}
			return b.String(), nil
		},
	}
}

func mode(g grant) string {
	switch {
	case g.publish && g.read:
		return "readwrite"
	case g.publish:
		return "write"
	}
	return "read"
}
