package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"camqtt/internal/wire"
)

// tree holds the checked values of all sources. A later source replaces the value of an
// earlier one key by key.
type tree struct {
	*report
	table
	values  map[string]any // sections in sections, but for the cameras
	cameras []*camera      // in the order of appearance
	broken  bool           // a source cannot be read, so nothing follows from missing values
}

// camera is one element of the list of cameras.
type camera struct {
	id     string
	values map[string]any
}

// find returns the camera with an id, nil when there is none.
func (t *tree) find(id string) *camera {
	for _, c := range t.cameras {
		if c.id == id {
			return c
		}
	}
	return nil
}

// addCamera appends a camera. One without an id was reported and belongs to no list.
func (t *tree) addCamera(id string) *camera {
	c := &camera{id: id, values: map[string]any{}}
	if id != "" {
		t.cameras = append(t.cameras, c)
	}
	return c
}

// place is where a value belongs.
type place struct {
	name  string         // in the table: cameras.<id>.fps
	shown string         // in messages: cameras.front.fps
	into  map[string]any // the section
}

// set puts a value into its section.
func (p place) set(v any) {
	_, member := cutLast(p.name)
	p.into[member] = v
}

// section is the map of a section, made when there is none.
func (p place) section() map[string]any {
	_, member := cutLast(p.name)
	sub, ok := p.into[member].(map[string]any)
	if !ok {
		sub = map[string]any{}
		p.into[member] = sub
	}
	return sub
}

// document is YAML on its way into the tree: a file, or the value of a variable or an
// argument.
type document struct {
	*tree
	file  string
	fixed origin // of all values, where lines mean nothing
}

func (d document) at(n *yaml.Node, key string) origin {
	if d.fixed != (origin{}) {
		return d.fixed
	}
	return origin{d.file, n.Line, key}
}

// members puts the keys of a section.
func (d document) members(n *yaml.Node, section place) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		shown := join(section.shown, printableKey(k.Value))
		at := d.at(k, shown)
		line, twice := seen[k.Value]
		switch {
		case k.Kind != yaml.ScalarNode:
			d.add(d.at(k, section.shown), "a key is a list, a map or an alias: want a word")
		case k.Tag == "!!merge":
			d.add(at, "merge keys are not understood: want every key written out")
		case twice:
			d.addf(at, "given twice, first on line %d", line)
		default:
			seen[k.Value] = k.Line
			d.put(resolveAlias(v), place{join(section.name, k.Value), shown, section.into}, at)
		}
	}
}

// put puts the value of a key or a section.
func (d document) put(n *yaml.Node, p place, at origin) {
	key, isKey := d.keys[p.name]
	switch {
	case p.name == camerasKey:
		d.cameraList(n, at)
	case isKey && key.isList():
		d.list(n, p, at)
	case isKey && key.kind == textMap:
		d.texts(n, p, at)
	case isKey:
		d.scalar(n, p, at)
	case d.isSection(p.name):
		d.section(n, p, at)
	default:
		section, member := cutLast(p.name)
		shown := strings.TrimSuffix(strings.TrimSuffix(p.shown, printableKey(member)), ".")
		d.add(at, d.unknown(section, member, shown))
	}
}

// section puts a map of keys. A section without keys has its defaults.
func (d document) section(n *yaml.Node, p place, at origin) {
	d.origins[p.shown] = at
	into := p.section()
	switch {
	case isNull(n):
	case n.Kind == yaml.MappingNode:
		d.members(n, place{p.name, p.shown, into})
	default:
		d.addf(at, "%s: want a map with %s, or nothing for the defaults", kindOf(n), strings.Join(d.sections[p.name], ", "))
	}
}

// scalar puts one value; null leaves the default.
func (d document) scalar(n *yaml.Node, p place, at origin) {
	fault := notScalar(n)
	if isNull(n) && fault == "" {
		return
	}
	d.origins[p.shown] = at
	var v any
	if fault == "" {
		var err error
		if v, err = d.keys[p.name].parse(n.Value); err != nil {
			fault = err.Error()
		}
	}
	d.refused[p.shown] = fault != ""
	if fault != "" {
		d.add(at, fault)
		return
	}
	p.set(v)
}

// list puts a list. A single value is a list of one; "" and null are empty lists.
func (d document) list(n *yaml.Node, p place, at origin) {
	d.origins[p.shown], d.refused[p.shown] = at, false
	values := []string{}
	for _, item := range d.items(n, p) {
		fault := notScalar(item)
		if fault != "" && n.Kind != yaml.SequenceNode {
			fault += ", or a list"
		}
		if fault == "" {
			v, err := d.keys[p.name].parse(item.Value)
			if err != nil {
				fault = err.Error()
			}
			s, _ := v.(string) // the table has lists of texts only
			values = append(values, s)
		}
		if fault != "" {
			d.refused[p.shown] = true
			d.add(d.at(item, at.key), fault)
		}
	}
	if !d.refused[p.shown] {
		p.set(values)
	}
}

// texts puts a map of texts; null is an empty one.
func (d document) texts(n *yaml.Node, p place, at origin) {
	d.origins[p.shown] = at
	before := len(d.problems)
	values := map[string]string{}
	switch {
	case isNull(n):
	case n.Kind != yaml.MappingNode:
		d.addf(at, "%s: want a map such as {room: hall}", kindOf(n))
	default:
		for i := 0; i+1 < len(n.Content); i += 2 {
			d.text(n.Content[i], resolveAlias(n.Content[i+1]), p, values)
		}
	}
	d.refused[p.shown] = len(d.problems) > before
	p.set(values)
}

// text puts one member of a map of texts.
func (d document) text(name, value *yaml.Node, p place, into map[string]string) {
	at := d.at(name, join(p.shown, printableKey(name.Value)))
	_, nameErr := labelName(name.Value)
	_, valueErr := d.keys[p.name].parse(value.Value)
	switch _, twice := into[name.Value]; {
	case nameErr != nil:
		d.add(at, nameErr.Error())
	case twice:
		d.add(at, "given twice")
	case notScalar(value) != "":
		d.add(at, notScalar(value))
	case valueErr != nil:
		d.add(at, valueErr.Error())
	default:
		into[name.Value] = value.Value
	}
}

// items are the elements of a list.
func (d document) items(n *yaml.Node, p place) (all []*yaml.Node) {
	key := d.keys[p.name]
	switch {
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			all = append(all, resolveAlias(item))
		}
	case notScalar(n) != "":
		return []*yaml.Node{n}
	case isNull(n) || n.Value == "":
	case key.kind == urlList:
		for _, word := range key.words(n.Value) {
			all = append(all, textNode(word, n.Line))
		}
	default:
		return []*yaml.Node{n}
	}
	return all
}

// cameraList puts the list of cameras.
func (d document) cameraList(n *yaml.Node, at origin) {
	d.origins[camerasKey] = at
	switch {
	case isNull(n):
		return
	case n.Kind != yaml.SequenceNode:
		d.addf(at, `%s: want a list, each camera beginning with "- id: "`, kindOf(n))
		return
	}
	lines := map[string]int{} // of the ids
	for i, item := range n.Content {
		d.camera(resolveAlias(item), i, lines)
	}
}

// camera puts one camera of the list, or changes the camera that has its id.
func (d document) camera(n *yaml.Node, i int, lines map[string]int) {
	shown := join(camerasKey, strconv.Itoa(i))
	if n.Kind != yaml.MappingNode {
		d.addf(d.at(n, shown), "%s: want a map with id, source and what else the camera needs", kindOf(n))
		return
	}
	var c *camera
	switch idNode := valueOf(n, "id"); {
	case isNull(idNode):
		at := n
		if idNode != nil {
			at = idNode
		}
		d.add(d.at(at, join(shown, "id")), "missing: every camera needs one, such as id: front")
	case idNode.Kind == yaml.ScalarNode:
		id, err := wire.ParseID(idNode.Value)
		if err != nil {
			break // reported with the other values
		}
		shown = join(camerasKey, string(id))
		if line, twice := lines[string(id)]; twice {
			d.addf(d.at(idNode, join(shown, "id")), "%q is the id of another camera, on line %d", id, line)
			break
		}
		lines[string(id)] = idNode.Line
		if c = d.find(string(id)); c == nil {
			c = d.addCamera(string(id))
		}
	}
	if c == nil {
		c = d.addCamera("")
	}
	d.origins[shown] = d.at(n, shown)
	d.members(n, place{cameraSection, shown, c.values})
	if c.id == "" && valueOf(n, "source") == nil {
		d.add(d.at(n, join(shown, "source")), missingSource)
	}
}

const missingSource = "missing: every camera needs one, such as source: test:640x480"

// resolveAlias is the node that an alias stands for, at the line of the alias.
func resolveAlias(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.AliasNode || n.Alias == nil {
		return n
	}
	c := *n.Alias
	c.Line, c.Column = n.Line, n.Column
	return &c
}

func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// notScalar is why a node is not one value, "" if it is. It does not repeat the value,
// which may be a secret.
func notScalar(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode, n.Kind == yaml.SequenceNode:
		return kindOf(n) + ": want one value"
	case n.Kind != yaml.ScalarNode:
		return "is an alias of an alias: want one value"
	case n.Anchor != "" && n.Value == "" && n.Style == 0:
		return "a & begins an anchor: put text that begins with & in quotes"
	case n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str":
		return "a ! begins a tag: put text that begins with ! in quotes"
	}
	return ""
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "is a map"
	case yaml.SequenceNode:
		return "is a list"
	}
	return "is a single value"
}

// valueOf is the value of a key in a map, nil when it has none.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key {
			return resolveAlias(n.Content[i+1])
		}
	}
	return nil
}

// textNode is a text as it stands.
func textNode(s string, line int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Line: line}
}
