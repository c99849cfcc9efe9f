package wire

import (
	"fmt"
	"maps"
	"slices"
)

// ParseSetKey reads a message on cam/<id>/set/<key>. The error is a [*Refusal].
func ParseSetKey(key string, payload []byte) (Change, error) {
	if len(payload) > MaxCommandBytes {
		return Change{}, &Refusal{Cmd: "set", Code: BadArgument, Text: fmt.Sprintf("the value has %d bytes: want at most %d", len(payload), MaxCommandBytes)}
	}
	c, err := ParseChange(key, string(plainText(payload)))
	if err != nil {
		return c, &Refusal{Cmd: "set", Code: BadArgument, Text: err.Error()}
	}
	return c, nil
}

// ParseSet reads a message on cam/<id>/set: a JSON object of settings, and
// optionally an id that comes back in the result. All are checked before any
// is returned. The error is a [*Refusal].
func ParseSet(payload []byte) (changes []Change, id string, err error) {
	refuse := func(text string) ([]Change, string, error) {
		return nil, id, &Refusal{Cmd: "set", ID: id, Code: BadArgument, Text: text}
	}
	if len(payload) > MaxCommandBytes {
		return refuse(fmt.Sprintf("the settings have %d bytes: want at most %d", len(payload), MaxCommandBytes))
	}
	fields, ok := jsonObject(plainText(payload))
	if !ok || fields == nil {
		return refuse(`the settings are not a JSON object: want such as {"fps":5,"quality":70}`)
	}
	if v, ok := scalar(fields["id"]); ok && validToken(v) {
		id = v
	}
	delete(fields, "id")
	if len(fields) == 0 {
		return refuse(`no setting was given: want such as {"fps":5,"quality":70}`)
	}
	for _, s := range Settings() { // in a fixed order, so that results can be repeated
		raw, given := fields[string(s)]
		if !given {
			continue
		}
		delete(fields, string(s))
		v, ok := scalar(raw)
		if !ok {
			return refuse(string(s) + ": want text, a number, true or false")
		}
		c, err := ParseChange(string(s), v)
		if err != nil {
			return refuse(err.Error())
		}
		changes = append(changes, c)
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		_, err := ParseChange(key, "")
		return refuse(err.Error())
	}
	return changes, id, nil
}
