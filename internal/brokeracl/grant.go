package brokeracl

import (
	"fmt"
	"strings"

	"camqtt/internal/access"
	"camqtt/internal/wire"
)

// grant is what an account may do with the topics under one filter.
type grant struct {
	filter                string
	publish, retain, read bool
}

// holder is an account with all its grants.
type holder struct {
	name   string
	is     []string // roles, for the comment of the file
	all    bool     // everything is allowed
	grants []grant
}

// pattern is a filter, and a topic under it that represents it.
type pattern struct{ filter, topic string }

// someID and someKey represent every id and every key in a question about permissions.
const (
	someID  = "x"
	someKey = "x"
)

// patterns returns the filters whose permissions can differ, for one account.
func (o Options) patterns(a access.Account) []pattern {
	base, discovery := o.Space.Base, o.discovery()
	ids := []pattern{{"+", someID}}
	if !a.All {
		ids = nil
		for _, id := range a.Cameras {
			ids = append(ids, pattern{string(id), string(id)})
		}
	}
	var out []pattern
	for _, id := range ids {
		for _, c := range wire.Channels() {
			out = append(out, pattern{
				base.Topic(wire.ID(id.filter), wire.Kind(strings.ReplaceAll(string(c.Kind), "<key>", "+"))),
				base.Topic(wire.ID(id.topic), wire.Kind(strings.ReplaceAll(string(c.Kind), "<key>", someKey))),
			})
		}
	}
	return append(out,
		pattern{base.AllCmd(), base.AllCmd()},
		pattern{base.Hub(), base.Hub()},
		pattern{discovery + "/status", discovery + "/status"},
		pattern{discovery + "/#", discovery + "/x/y/config"})
}

// add adds the permissions of an account to a holder.
func (o Options) add(h *holder, a access.Account) {
	h.is = append(h.is, a.Role.String()+" of "+a.Of())
	if a.Role == access.Admin {
		h.all = true
		return
	}
	p := access.Principal{Name: a.Name, Role: a.Role, All: a.All, Cameras: a.Cameras}
	for _, x := range o.patterns(a) {
		h.merge(grant{
			filter:  x.filter,
			publish: o.Space.Allowed(p, access.Publish, x.topic),
			retain:  o.Space.Allowed(p, access.Retain, x.topic),
			read:    o.Space.Allowed(p, access.Receive, x.topic),
		})
	}
	if a.Role == access.HomeAssistant {
		for _, filter := range o.deletable(a) {
			h.merge(grant{filter: filter, publish: true, retain: true})
		}
	}
	if o.Announce != nil && (a.Role == access.Camera || a.Role == access.Bridge) {
		for _, id := range a.Cameras {
			for _, topic := range o.Announce(id) {
				h.merge(grant{filter: topic, publish: true, retain: true})
			}
		}
	}
}

// deletable returns the discovery filters that Home Assistant clears when a user deletes
// a device. No broker distinguishes clearing from publishing.
func (o Options) deletable(a access.Account) []string {
	objects := []string{"+"}
	if !a.All {
		objects = nil
		for _, id := range a.Cameras {
			objects = append(objects, "camqtt_"+string(id))
		}
	}
	var filters []string
	for _, x := range objects {
		filters = append(filters, o.discovery()+"/device/"+x+"/config", o.discovery()+"/+/"+x+"/+/config")
	}
	return filters
}

// merge adds one grant to a holder.
func (h *holder) merge(g grant) {
	if !g.publish && !g.read {
		return
	}
	for i := range h.grants {
		if old := &h.grants[i]; old.filter == g.filter {
			old.publish, old.retain, old.read = old.publish || g.publish, old.retain || g.retain, old.read || g.read
			return
		}
	}
	h.grants = append(h.grants, g)
}

// with returns the filters of the grants for which ok is true.
func (h *holder) with(ok func(grant) bool) []string {
	var out []string
	for _, g := range h.grants {
		if ok(g) {
			out = append(out, g.filter)
		}
	}
	return out
}

// holders returns the grants of all accounts, in their order. It refuses names and topics
// with characters that have a meaning in one of the formats.
func (o Options) holders() ([]*holder, error) {
	if _, err := wire.ParseBase(string(o.Space.Base)); err != nil {
		return nil, err
	}
	if err := plain(o.discovery()); err != nil {
		return nil, fmt.Errorf("discovery prefix: %w", err)
	}
	if len(o.Accounts) == 0 {
		return nil, ErrNoAccounts
	}
	var all []*holder
	named := map[string]*holder{}
	for _, a := range o.Accounts {
		if err := access.CheckAccount(a); err != nil {
			return nil, err
		}
		h := named[a.Name]
		if h == nil {
			h = &holder{name: a.Name}
			named[a.Name] = h
			all = append(all, h)
		}
		o.add(h, a)
		for _, g := range h.grants {
			if err := plain(strings.TrimSuffix(strings.ReplaceAll(g.filter, "/+", "/x"), "/#")); err != nil {
				return nil, fmt.Errorf("account %s: %w", a.Name, err)
			}
		}
	}
	return all, nil
}

// plain checks a topic for use in a file. This is stricter than MQTT, which allows topics
// with blanks, quotes and line ends.
func plain(topic string) error {
	for level := range strings.SplitSeq(topic, "/") {
		if _, err := wire.ParseBase(level); err != nil || level == "" {
			return fmt.Errorf("topic %.100q: want words of a-z A-Z 0-9 _ -, separated by single slashes", topic)
		}
	}
	return nil
}
