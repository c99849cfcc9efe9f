package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"camqtt/internal/redact"
	"camqtt/internal/wire"
)

// YAML writes the configuration as a file that has every key of the sections
// that exist. Secrets are masked, also those in URLs and sources.
func (c *Config) YAML() ([]byte, error) {
	shown := *c
	shown.MQTT.URL = nil
	for _, u := range c.MQTT.URL {
		shown.MQTT.URL = append(shown.MQTT.URL, redact.Template(u))
	}
	if c.MQTT.PasswordFile != "" {
		shown.MQTT.Password = "" // it is what the file says
	}
	shown.Cameras = nil
	for _, cam := range c.Cameras {
		cam.Source = redact.Source(cam.Source)
		if cam.PushTokenFile != "" {
			cam.PushToken = "" // it is what the file says
		}
		shown.Cameras = append(shown.Cameras, cam)
	}
	root, err := nodeOf(reflect.ValueOf(shown))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return b.Bytes(), nil
}

// nodeOf is the node of a value of [Config]; nil for what is not there.
func nodeOf(v reflect.Value) (*yaml.Node, error) {
	switch x := v.Interface().(type) {
	case time.Duration:
		return plainNode(shortDuration(x)), nil
	case Settle:
		return plainNode(x.String()), nil
	case wire.Size:
		return textNode(x.String()), nil
	case Secret:
		if x == "" {
			return textNode(""), nil
		}
		return textNode(redact.Mask), nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return nodeOf(v.Elem())
	case reflect.Struct:
		return structNode(v)
	case reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			n, err := nodeOf(v.Index(i))
			if err != nil {
				return nil, err
			}
			list.Content = append(list.Content, n)
		}
		if v.Len() == 0 {
			list.Style = yaml.FlowStyle
		}
		return list, nil
	case reflect.String:
		return textNode(v.String()), nil
	case reflect.Bool:
		return plainNode(strconv.FormatBool(v.Bool())), nil
	case reflect.Int:
		return plainNode(strconv.FormatInt(v.Int(), 10)), nil
	case reflect.Float64:
		return plainNode(strconv.FormatFloat(v.Float(), 'f', -1, 64)), nil
	}
	return nil, fmt.Errorf("write the configuration: a %s cannot be written", v.Type())
}

func structNode(v reflect.Value) (*yaml.Node, error) {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for i := range v.NumField() {
		n, err := nodeOf(v.Field(i))
		if err != nil {
			return nil, err
		}
		if n != nil {
			m.Content = append(m.Content, plainNode(v.Type().Field(i).Tag.Get("key")), n)
		}
	}
	return m, nil
}

func plainNode(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// textNode is quoted where it would be read as something else.
func textNode(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

// shortDuration writes 10m for 10m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	if s == "0s" {
		return "0"
	}
	return s
}
