package config

import "go.yaml.in/yaml/v3"

// follow is the node that an alias stands for, at the line of the alias.
func follow(n *yaml.Node) *yaml.Node {
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

// notPlain is what keeps a node from being a single value, "" if nothing does.
// The value is not repeated, it may be a secret.
func notPlain(n *yaml.Node) string {
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
	switch {
	case n.Kind == yaml.MappingNode:
		return "is a map"
	case n.Kind == yaml.SequenceNode:
		return "is a list"
	}
	return "is a single value"
}

// valueOf is the value of a key in a map, nil when it has none.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key {
			return follow(n.Content[i+1])
		}
	}
	return nil
}

func nullNode() *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"} }
