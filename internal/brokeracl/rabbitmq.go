package brokeracl

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// rabbitmq is a file of definitions for RabbitMQ with its MQTT plugin.
func rabbitmq() form {
	return form{
		name: "rabbitmq", title: "RabbitMQ",
		setup: func(all []*holder) []string {
			return []string{
				"Once: rabbitmq-plugins enable rabbitmq_mqtt; rabbitmqctl delete_user guest; and in rabbitmq.conf:",
				"  mqtt.allow_anonymous = false",
				"  mqtt.vhost = /",
				"  mqtt.exchange = amq.topic",
				"First create each account; the command asks for its password:",
				"  rabbitmqctl add_user " + all[0].name,
				"Then, and after every change: rabbitmqctl import_definitions FILE",
				"Accounts that are no longer listed keep their permissions; remove them: rabbitmqctl delete_user NAME. An account without",
				"topic_permissions can use every topic of amq.topic, so give no other account permissions on it.",
			}
		},
		differs: []string{
			"A client that publishes or subscribes without permission is disconnected, so set homeassistant.discovery to off where discovery is not permitted. A will without permission is not sent.",
			"An account can retain every topic that it can publish, and use it as a will: the will of a camera is not limited to its status.",
			"A filter is granted only if every topic under it can be read: cam/# only for admins, cam/+/status only for accounts with all cameras. Accounts with listed cameras are for subscribers that name their cameras; the page and camqtt ls need an account for all cameras.",
			"Retained messages are not sent to subscriptions with wildcards, and a + matches any level.",
			"These rules use dots instead of slashes. RabbitMQ reads a dot in a topic as a slash and a * as a +.",
			"Client identifiers are not reserved: every account can take over the connection of another.",
		},
		write: func(head []string, all []*holder) (string, error) {
			d := definitions{About: head}
			for _, h := range all {
				d.add(h)
			}
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			err := enc.Encode(d)
			return b.String(), err
		},
	}
}

// definitions are what rabbitmqctl import_definitions takes. JSON has no comments; keys
// that are unknown are not looked at.
type definitions struct {
	About       []string          `json:"//"`
	Permissions []permission      `json:"permissions"`
	Topics      []topicPermission `json:"topic_permissions"`
}

type permission struct {
	User      string `json:"user"`
	Vhost     string `json:"vhost"`
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

type topicPermission struct {
	User     string `json:"user"`
	Vhost    string `json:"vhost"`
	Exchange string `json:"exchange"`
	Write    string `json:"write"`
	Read     string `json:"read"`
}

// Queues that the MQTT plugin makes for subscribers, and the exchange between.
const (
	mqttExchange = "amq.topic"
	mqttQueues   = `^mqtt-subscription-.*qos[01]$`
	mqttBoth     = `^(mqtt-subscription-.*qos[01]|amq\.topic)$`
)

func (d *definitions) add(h *holder) {
	d.Permissions = append(d.Permissions, permission{h.name, "/", mqttQueues, mqttBoth, mqttBoth})
	write, read := ".*", ".*"
	if !h.all {
		write = expression(h.with(func(g grant) bool { return g.publish }), false)
		read = expression(h.with(func(g grant) bool { return g.read }), true)
	}
	d.Topics = append(d.Topics, topicPermission{h.name, "/", mqttExchange, write, read})
}

// idExpression is a camera's id. topics.md: 1 to 32 of a-z 0-9 _ -, the first a letter
// or digit.
const idExpression = `[a-z0-9][a-z0-9_-]{0,31}`

// expression is a regular expression for the topics under any of the filters, and for
// reading also for the filters themselves, which is what is asked at a subscription.
func expression(filters []string, reading bool) string {
	var all []string
	for _, f := range filters {
		levels := strings.Split(f, "/")
		for i, level := range levels {
			x := regexp.QuoteMeta(level)
			switch {
			case level == "+" && i == len(levels)-1: // a setting's key
				x = `[^.#]+`
			case level == "+" && reading:
				x = `(` + idExpression + `|\*)`
			case level == "+":
				x = idExpression
			case level == "#":
				x = `.+`
			}
			levels[i] = x
		}
		all = append(all, strings.Join(levels, `\.`))
	}
	return `^(` + strings.Join(all, "|") + `)\z` // a $ would let a line end follow
}
