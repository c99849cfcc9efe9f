package brokeracl_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"camqtt/internal/access"
	"camqtt/internal/brokeracl"
	"camqtt/internal/mqtt"
	"camqtt/internal/wire"
)

// term is an Erlang term: an atom (string), a string (quoted), a tuple or list.
type term any

type quoted string

// erlangTerms reads terms that end with a full stop, and comments.
func erlangTerms(text string) (all [][]term, err error) {
	p := &erlangParser{rest: text}
	for p.blank(); p.rest != ""; p.blank() {
		x, err := p.term()
		tuple, ok := x.([]term)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			return nil, fmt.Errorf("%v is no tuple", x)
		case !p.take("."):
			return nil, fmt.Errorf("no full stop before %.20q", p.rest)
		}
		all = append(all, tuple)
	}
	return all, nil
}

type erlangParser struct{ rest string }

func (p *erlangParser) blank() {
	for {
		p.rest = strings.TrimLeft(p.rest, " \n\t\r")
		if !strings.HasPrefix(p.rest, "%") {
			return
		}
		_, p.rest, _ = strings.Cut(p.rest, "\n")
	}
}

func (p *erlangParser) take(s string) bool {
	p.blank()
	rest, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *erlangParser) term() (term, error) {
	switch {
	case p.take("{"):
		return p.items("}")
	case p.take("["):
		return p.items("]")
	case p.take(`"`):
		var s []byte
		for i := 0; i < len(p.rest); i++ {
			switch c := p.rest[i]; c {
			case '"':
				p.rest = p.rest[i+1:]
				return quoted(s), nil
			case '\\':
				i++
				if i < len(p.rest) {
					s = append(s, p.rest[i])
				}
			default:
				s = append(s, c)
			}
		}
		return nil, fmt.Errorf("a string without an end")
	}
	n := 0
	for n < len(p.rest) && (p.rest[n] >= 'a' && p.rest[n] <= 'z' || p.rest[n] == '_') {
		n++
	}
	if n == 0 {
		return nil, fmt.Errorf("no term at %.20q", p.rest)
	}
	atom := p.rest[:n]
	p.rest = p.rest[n:]
	return atom, nil
}

func (p *erlangParser) items(end string) ([]term, error) {
	all := []term{}
	for !p.take(end) {
		if len(all) > 0 && !p.take(",") {
			return nil, fmt.Errorf("no comma before %.20q", p.rest)
		}
		x, err := p.term()
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

// emqxRules reads an EMQX file and checks that each rule has a form that EMQX takes.
func emqxRules(text string) ([][]term, error) {
	rules, err := erlangTerms(text)
	if err != nil {
		return nil, err
	}
	for i, r := range rules {
		if i == len(rules)-1 {
			break
		}
		if len(r) != 4 || r[0] != "allow" {
			return nil, fmt.Errorf("rule %v", r)
		}
		who, ok := r[1].([]term)
		if !ok || len(who) != 2 || who[0] != "username" {
			return nil, fmt.Errorf("who: %v", r[1])
		}
		if a := fmt.Sprint(r[2]); a != "publish" && a != "subscribe" && a != "all" && a != "[publish [[retain false]]]" {
			return nil, fmt.Errorf("action: %v", r[2])
		}
		for _, f := range r[3].([]term) {
			if s, ok := f.(quoted); !ok || strings.Contains(string(s), "${") {
				return nil, fmt.Errorf("topic: %v", f)
			}
		}
	}
	return rules, nil
}

// emqxAllows is what EMQX does with rules: the first that fits decides.
func emqxAllows(rules [][]term, user, action, topic string, retained bool) bool {
	if _, filter, shared := mqtt.SplitShared(topic); shared {
		topic = filter
	}
	for _, r := range rules {
		if len(r) == 2 {
			return r[0] == "allow"
		}
		if r[1].([]term)[1] != quoted(user) {
			continue
		}
		switch a := fmt.Sprint(r[2]); {
		case a == "all", a == action, strings.HasPrefix(a, "[publish") && action == "publish" && !retained:
		default:
			continue
		}
		for _, f := range r[3].([]term) {
			filter := string(f.(quoted))
			if !(topic[0] == '$' && filter[0] != '$') && matches(filter, topic) {
				return r[0] == "allow"
			}
		}
	}
	return false
}

// users reads whose rights a file holds, and fails for what no such file should hold.
func users(name, text string) ([]string, error) {
	var all []string
	switch name {
	case "emqx":
		rules, err := emqxRules(text)
		if err != nil {
			return nil, err
		}
		for _, r := range rules[:len(rules)-1] {
			all = append(all, string(r[1].([]term)[1].(quoted)))
		}
	case "rabbitmq":
		var d map[string][]any
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			return nil, err
		}
		for _, p := range append(d["permissions"], d["topic_permissions"]...) {
			all = append(all, p.(map[string]any)["user"].(string))
		}
	default:
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			words := strings.Fields(line)
			switch {
			case line == "" || strings.HasPrefix(line, "#"):
			case name == "mosquitto" && words[0] == "topic" && len(words) == 3 && slices.Contains([]string{"read", "write", "readwrite"}, words[1]):
			case name == "mosquitto" && words[0] == "user" && len(words) == 2:
				all = append(all, words[1])
			case name == "nats" && words[0] == "user:":
				all = append(all, strings.Trim(words[1], `",`))
			case name == "nats" && (strings.Trim(line, "[]{}") == "" || len(words) == 1 && strings.Count(line, `"`) == 2 && line[0] == '"'):
			case name == "nats" && slices.Contains([]string{"include camqtt-passwords.conf", "authorization {", "users: [", "permissions: {", "publish: {", "subscribe: {", "allow: [", "deny: ["}, line):
			default:
				return nil, fmt.Errorf("line %q", line)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Whatever names, ids and topics are asked for, a file holds the rights of just the
// accounts that it was made for, or there is none.
func FuzzWrite(f *testing.F) {
	f.Add("front", "front", "cam", "homeassistant", "homeassistant/device/x/config")
	f.Add("a\nuser eve", "a", "cam", "ha", "x")
	f.Add(`a"}, all, ["#"]}.%`, "a", "cam", "ha", "x")
	f.Add("ann", "a\ntopic readwrite #", "cam\n", "ha\"", "x y")
	f.Add("a}", "#", "+", "$SYS", "#")
	f.Add("ann", "front", "cam/+", "ha/#", "a\"]}}")
	f.Fuzz(func(t *testing.T, name, id, base, discovery, topic string) {
		o := brokeracl.Options{
			Space: access.Space{Base: wire.Base(base), Discovery: discovery},
			Accounts: []access.Account{
				{Name: name, Role: access.Camera, Cameras: []wire.ID{wire.ID(id)}},
				{Name: name, Role: access.Viewer, All: true},
				{Name: "other", Role: access.HomeAssistant, Cameras: []wire.ID{wire.ID(id)}},
			},
			Announce: func(wire.ID) []string { return []string{topic} },
		}
		for _, o.Engine = range brokeracl.Names() {
			b, err := brokeracl.Write(o)
			if err != nil {
				if b != nil {
					t.Errorf("%s: an error and a file", o.Engine)
				}
				continue
			}
			want := []string{name, "other"}
			slices.Sort(want)
			want = slices.Compact(want)
			if got, err := users(o.Engine, string(b)); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: rights of %q, want %q: %v\n%s", o.Engine, got, want, err, b)
			}
		}
	})
}
