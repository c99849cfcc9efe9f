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
				"Install it readable only by the broker:",
				"  install -o root -g mosquitto -m 640 FILE /etc/mosquitto/camqtt.acl",
				"In /etc/mosquitto/conf.d/camqtt.conf (from 2.1 on the acl-file and password-file plugins also accept these two files):",
				"  allow_anonymous false",
				"  password_file /etc/mosquitto/camqtt.passwd",
				"  acl_file /etc/mosquitto/camqtt.acl",
				"Set the password of every account; the command asks for it. -c creates the file, so use it only for the first:",
				"  mosquitto_passwd -c /etc/mosquitto/camqtt.passwd " + all[0].name,
				"Then, and after every change: systemctl reload mosquitto",
			}
		},
		differs: []string{
			"Every subscription is granted, and unreadable topics are not delivered. A mistyped filter causes no error.",
			"An account can retain every topic that it can publish, and use it as a will: the will of a camera is not limited to its status, and commands can be retained (cameras refuse those).",
			"A + matches any level, including _all.",
			"Client identifiers are not reserved: every account can take over the connection of another.",
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
