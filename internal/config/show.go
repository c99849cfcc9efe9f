package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"camqtt/internal/redact"
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
		shown.MQTT.Password = "" // it came from the file
	}
	shown.Cameras = slices.Clone(c.Cameras)
	for i := range shown.Cameras {
		cam := &shown.Cameras[i]
		cam.Source = redact.Source(cam.Source)
		if cam.PushTokenFile != "" {
			cam.PushToken = "" // it came from the file
		}
	}
	var root yaml.Node
	if err := root.Encode(shown); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	shortenDurations(&root, "", newTable())
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&root); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return b.Bytes(), nil
}

// shortenDurations writes the durations of a section as people do.
func shortenDurations(n *yaml.Node, name string, t table) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			shortenDurations(n.Content[i+1], join(name, n.Content[i].Value), t)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			shortenDurations(item, name+".<id>", t)
		}
	case yaml.ScalarNode:
		if k, ok := t.keys[name]; ok {
			v, _ := k.parse(n.Value) // what is shown of a secret is no value
			switch v := v.(type) {
			case time.Duration:
				*n = yaml.Node{Kind: yaml.ScalarNode, Value: shortDuration(v)}
			case Settle:
				*n = yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}
			}
		}
	}
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
