package broker

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"camqtt/internal/mqtt"
	"camqtt/internal/wire"
)

// kind says what a topic carries as far as delivery is concerned.
type kind byte

const (
	ordinary kind = iota // everything but pictures
	frame                // topics.md: frame, every picture, never retained
	preview              // topics.md: preview, at most one a second
	snapshot             // topics.md: snapshot, announced by snapshot/meta right before
)

// picture tells a picture's topic by its shape, <base>/<id>/<kind>, and gives the
// camera's id.
func picture(base, topic string) (id string, k kind) {
	if len(topic) <= len(base)+1 || topic[:len(base)] != base || topic[len(base)] != '/' {
		return "", ordinary
	}
	id, last, ok := strings.Cut(topic[len(base)+1:], "/")
	if !ok || !wire.IsID(id) {
		return "", ordinary
	}
	switch last {
	case "frame":
		return id, frame
	case "preview":
		return id, preview
	case "snapshot":
		return id, snapshot
	}
	return "", ordinary
}

// checkText refuses what must not stand in an identifier, topic or filter:
// [MQTT-1.5.4-1], [MQTT-1.5.4-2] and the control characters that the same section
// advises against.
func checkText(s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("%d bytes long, at most %d are allowed", len(s), limit)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not UTF-8", s)
	}
	if !mqtt.Printable([]byte(s)) {
		return fmt.Errorf("%q contains a control character", s)
	}
	return nil
}

// checkTopic refuses a topic to which no client may publish.
func checkTopic(s string, l *Limits) error {
	if err := checkText(s, l.TopicBytes); err != nil {
		return fmt.Errorf("topic: %w", err)
	}
	switch n := strings.Count(s, "/") + 1; {
	case s == "":
		return fmt.Errorf("topic: empty [MQTT-4.7.3-1]")
	case n > l.TopicLevels:
		return fmt.Errorf("topic: %d levels, at most %d are allowed", n, l.TopicLevels)
	case mqtt.HasWildcard(s):
		return fmt.Errorf("topic: %q contains a wildcard [MQTT-3.3.2-2]", s)
	case s[0] == '$':
		return fmt.Errorf("topic: %q is not for clients [MQTT-4.7.2-1]", s)
	}
	return nil
}

// checkFilter refuses a filter to which no client may subscribe. [MQTT-4.7.1-1],
// [MQTT-4.7.1-2], [MQTT-4.8.2-1], [MQTT-4.8.2-2]
func checkFilter(s string, l *Limits) error {
	if err := checkText(s, l.TopicBytes); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	if n := strings.Count(s, "/") + 1; n > l.TopicLevels {
		return fmt.Errorf("filter: %d levels, at most %d are allowed", n, l.TopicLevels)
	}
	plain := s
	if group, rest, shared := mqtt.SplitShared(s); shared {
		if group == "" || mqtt.HasWildcard(group) {
			return fmt.Errorf("filter: %q names no share group", s)
		}
		plain = rest
	}
	if plain == "" {
		return fmt.Errorf("filter: empty [MQTT-4.7.3-1]")
	}
	if !mqtt.ValidWildcards(plain) {
		return fmt.Errorf("filter: %q has a wildcard in a wrong place", s)
	}
	return nil
}
