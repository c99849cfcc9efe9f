package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"camqtt/internal/brokerurl"
	"camqtt/internal/wire"
)

// file reads one YAML file into a new layer.
func (l *loader) file(name string) {
	d := doc{loader: l, file: name}
	l.files[name] = true
	b, err := l.opts.ReadFile(name)
	if err != nil {
		l.broken = true
		l.report(origin{file: name}, "cannot be read: "+reason(err))
		return
	}
	root, fault := parse(b)
	if fault != nil {
		l.broken = true
		l.report(origin{file: name, line: fault.line}, fault.text)
		return
	}
	if _, ok := l.origins[""]; !ok {
		l.origins[""] = origin{file: name, line: 1}
	}
	switch {
	case isNull(root):
	case root.Kind != yaml.MappingNode:
		l.broken = true
		l.report(d.at(root, ""), "want keys such as broker:, dashboard: and cameras:")
	default:
		d.members(root, place{into: l.layer()})
	}
}

// doc is a document whose nodes are put where they belong: a file, or the value
// of a variable or an argument.
type doc struct {
	*loader
	file  string
	fixed origin // of everything in it, where lines and keys mean nothing
}

func (d doc) at(n *yaml.Node, key string) origin {
	if d.fixed != (origin{}) {
		return d.fixed
	}
	return origin{d.file, n.Line, key}
}

// members goes through a map. p is the section itself, p.into what its members
// go into.
func (d doc) members(n *yaml.Node, p place) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		shown := join(p.shown, shownKey(k.Value))
		at := d.at(k, shown)
		line, twice := seen[k.Value]
		switch {
		case k.Kind != yaml.ScalarNode:
			d.report(d.at(k, p.shown), "a key is a list, a map or an alias: want a word")
		case k.Tag == "!!merge":
			d.report(at, "merge keys are not understood: want every key written out")
		case twice:
			d.reportf(at, "given twice, first on line %d", line)
		default:
			seen[k.Value] = k.Line
			d.member(follow(v), place{join(p.name, k.Value), shown, p.into}, at)
		}
	}
}

// member puts the node of one key where it belongs.
func (d doc) member(n *yaml.Node, p place, at origin) {
	key, isKey := d.shape.keys[p.name]
	switch {
	case p.name == camerasKey:
		d.cameraList(n, at)
	case isKey && key.list:
		d.list(n, p, at)
	case isKey:
		d.scalar(n, p, at)
	case d.shape.isSection(p.name):
		d.section(n, p, at)
	default:
		d.report(at, d.unknown(p))
	}
}

// unknown says what somebody may have meant by a key that does not exist.
func (l *loader) unknown(p place) string {
	up, got := cutLast(p.name)
	shownUp := strings.TrimSuffix(strings.TrimSuffix(p.shown, shownKey(got)), ".")
	members := l.shape.sections[up]
	if near := closest(got, members); near != "" {
		return fmt.Sprintf("unknown key (did you mean %s?)", join(shownUp, near))
	}
	for _, k := range Keys() { // the right word in the wrong section
		if _, member := cutLast(k.Name); member == plainKey(got) {
			return fmt.Sprintf("unknown key (did you mean %s?)", k.Name)
		}
	}
	return "unknown key: want one of " + strings.Join(members, ", ")
}

func plainKey(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// section goes into a map of keys. One without keys has its defaults.
func (d doc) section(n *yaml.Node, p place, at origin) {
	d.origins[p.shown] = at
	_, member := cutLast(p.name)
	sub, ok := p.into[member].(map[string]any)
	if !ok {
		sub = map[string]any{}
		p.into[member] = sub
	}
	p.into = sub
	switch {
	case isNull(n):
	case n.Kind == yaml.MappingNode:
		d.members(n, p)
	default:
		d.reportf(at, "%s: want a map with %s, or nothing for the defaults", kindOf(n), strings.Join(d.shape.sections[p.name], ", "))
	}
}

// scalar puts a single value; null leaves the default.
func (d doc) scalar(n *yaml.Node, p place, at origin) {
	switch fault := notPlain(n); {
	case isNull(n) && fault == "":
	case fault != "":
		d.origins[p.shown], d.bad[p.shown] = at, true
		d.report(at, fault)
	default:
		d.put(p, at, n.Value)
	}
}

// list puts a list; a single value is a list of one, and "" or null none.
func (d doc) list(n *yaml.Node, p place, at origin) {
	var entries []entry
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		item = follow(item)
		itemAt := d.at(item, at.key)
		switch fault := notPlain(item); {
		case item == n && (isNull(n) || n.Value == "" && fault == ""):
		case fault != "":
			d.origins[p.shown], d.bad[p.shown] = at, true
			if item == n {
				fault += ", or a list"
			}
			d.report(itemAt, fault)
			return
		case item == n && d.shape.keys[p.name].several:
			for _, word := range brokerurl.Words(n.Value) {
				entries = append(entries, entry{itemAt, word})
			}
		default:
			entries = append(entries, entry{itemAt, item.Value})
		}
	}
	d.putList(p, at, entries)
}

// cameraList goes through the list of cameras.
func (d doc) cameraList(n *yaml.Node, at origin) {
	d.origins[camerasKey] = at
	switch {
	case isNull(n):
		return
	case n.Kind == yaml.MappingNode:
		d.report(at, `is a map: want a list, each camera beginning with "- id: "`)
		return
	case n.Kind != yaml.SequenceNode:
		d.reportf(at, `%s: want a list, each camera beginning with "- id: "`, kindOf(n))
		return
	}
	first := map[string]int{}
	for i, item := range n.Content {
		d.cameraItem(follow(item), i, first)
	}
}

// cameraItem takes one camera of the list; first has the lines of the ids before
// it.
func (d doc) cameraItem(n *yaml.Node, i int, first map[string]int) {
	shown := join(camerasKey, strconv.Itoa(i))
	if n.Kind != yaml.MappingNode {
		d.reportf(d.at(n, shown), "%s: want a map with id, source and what else the camera needs", kindOf(n))
		return
	}
	var c *camera
	switch idNode := valueOf(n, "id"); {
	case idNode == nil || isNull(idNode):
		d.report(d.at(n, join(shown, "id")), "missing: every camera needs one, such as id: front")
	case idNode.Kind == yaml.ScalarNode:
		id, err := wire.ParseID(idNode.Value)
		if err != nil {
			break // reported with the other values
		}
		shown = join(camerasKey, string(id))
		if line, twice := first[string(id)]; twice {
			d.reportf(d.at(idNode, join(shown, "id")), "%q is the id of another camera, on line %d", id, line)
			break
		}
		first[string(id)] = idNode.Line
		if c = d.camera(string(id)); c == nil {
			c = d.addCamera(string(id))
		}
	}
	if c == nil {
		c = d.addCamera("")
	}
	d.origins[shown] = d.at(n, shown)
	d.members(n, place{strings.TrimSuffix(cameraPrefix, "."), shown, c.values})
	if c.id == "" && valueOf(n, "source") == nil {
		d.missingSource(d.at(n, join(shown, "source")))
	}
}
