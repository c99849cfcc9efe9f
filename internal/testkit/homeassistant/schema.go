package homeassistant

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"camqtt/internal/wire"
)

// The rules below are those of Home Assistant's MQTT integration: what its
// discovery refuses, and what it would silently drop, which is a mistake too.

const (
	availabilityKeys = "availability availability_mode availability_template availability_topic payload_available payload_not_available"
	topKeys          = availabilityKeys + " device origin components state_topic command_topic qos encoding message_expiry_interval"
	deviceKeys       = "identifiers connections name manufacturer model model_id serial_number sw_version hw_version via_device suggested_area configuration_url"
	oldDeviceKeys    = "identifiers connections name manufacturer model sw_version hw_version via_device suggested_area configuration_url"
	originKeys       = "name sw_version support_url"
	commonKeys       = availabilityKeys + " unique_id object_id default_entity_id name icon entity_category enabled_by_default entity_picture " +
		"json_attributes_topic json_attributes_template qos encoding message_expiry_interval visible_by_default"
	writeKeys = " command_topic state_topic optimistic retain"
)

// rule is what a platform needs and what else it takes beside commonKeys.
type rule struct {
	required, optional, classes string
}

func rules() map[string]rule {
	return map[string]rule{
		"camera": {required: "topic", optional: "image_encoding"},
		"image":  {required: "image_topic", optional: "content_type image_encoding"},
		"button": {required: "command_topic", optional: "command_template payload_press device_class retain", classes: "identify restart update"},
		"switch": {required: "command_topic", optional: writeKeys + " payload_on payload_off state_on state_off value_template device_class", classes: "switch outlet"},
		"number": {required: "command_topic", optional: writeKeys + " command_template min max step mode unit_of_measurement device_class payload_reset value_template"},
		"select": {required: "command_topic options", optional: writeKeys + " command_template value_template"},
		"sensor": {
			required: "state_topic", optional: "value_template device_class state_class unit_of_measurement suggested_display_precision expire_after force_update options last_reset_value_template",
			classes: "timestamp data_rate temperature signal_strength",
		},
		"binary_sensor": {
			required: "state_topic", optional: "value_template payload_on payload_off device_class off_delay expire_after force_update",
			classes: "motion connectivity problem running update",
		},
		"device_automation": {required: "automation_type type subtype topic", optional: "payload value_template"},
		"event":             {required: "state_topic event_types", optional: "value_template device_class", classes: "doorbell button motion"},
	}
}

// checker collects what is wrong with discovery messages.
type checker struct {
	prefix string
	base   wire.Base
	errs   []error
	seen   map[string]string // unique id and entity id to topic and key
}

func (c *checker) errorf(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// Check returns all that Home Assistant would refuse, drop or log about the
// discovery messages below prefix that are in msgs, of cameras below base.
func Check(prefix string, base wire.Base, msgs []wire.Message) error {
	c := &checker{prefix: prefix, base: base, seen: map[string]string{}}
	for _, m := range msgs {
		if !m.Retained || m.QoS != 1 {
			c.errorf("%s: retained %v, qos %d: want retained, qos 1", m.Topic, m.Retained, m.QoS)
		}
		c.message(m)
	}
	return errors.Join(c.errs...)
}

var topicForm = regexp.MustCompile(`^(\w+)/(?:([a-zA-Z0-9_-]+)/)?([a-zA-Z0-9_-]+)/config$`)

func (c *checker) message(m wire.Message) {
	rest, _ := strings.CutPrefix(m.Topic, c.prefix+"/")
	parts := topicForm.FindStringSubmatch(rest)
	if parts == nil {
		c.errorf("topic %q is not a discovery topic", m.Topic)
		return
	}
	if len(m.Payload) == 0 || string(m.Payload) == `{"migrate_discovery": true}` {
		return
	}
	var v map[string]any
	if err := json.Unmarshal(m.Payload, &v); err != nil {
		c.errorf("%s: %w", m.Topic, err)
		return
	}
	if parts[1] == "device" {
		c.device(m.Topic, v)
		return
	}
	at := m.Topic
	if d, ok := v["device"].(map[string]any); !ok {
		c.errorf("%s: no device", at)
	} else {
		c.deviceBlock(at, d, oldDeviceKeys)
	}
	c.originBlock(at, v["origin"])
	delete(v, "device")
	delete(v, "origin")
	c.component(at, parts[1], v)
}

func (c *checker) device(at string, v map[string]any) {
	c.keys(at, v, "device origin components", topKeys)
	c.availability(at, v)
	if d, ok := v["device"].(map[string]any); ok {
		c.deviceBlock(at, d, deviceKeys)
	}
	c.originBlock(at, v["origin"])
	components, _ := v["components"].(map[string]any)
	if len(components) == 0 {
		c.errorf("%s: no components", at)
	}
	for key, raw := range components {
		at := at + " " + key
		if strings.ContainsAny(key, " /+#") {
			c.errorf("%s: key %q", at, key)
		}
		comp, _ := raw.(map[string]any)
		platform, _ := comp["platform"].(string)
		if _, ok := rules()[platform]; !ok {
			c.errorf("%s: platform %q is not one that is used", at, platform)
			continue
		}
		delete(comp, "platform")
		if len(comp) > 0 { // alone, platform removes the entity
			c.component(at, platform, comp)
		}
	}
}

func (c *checker) deviceBlock(at string, d map[string]any, allowed string) {
	c.keys(at+" device", d, "name", allowed)
	ids, _ := d["identifiers"].([]any)
	if len(ids) == 0 {
		c.errorf("%s: device without identifiers", at)
	}
	for key, v := range d {
		if s, ok := v.(string); key != "identifiers" && (!ok || s == "") {
			c.errorf("%s: device %s is %v: want text", at, key, v)
		}
	}
	if link, ok := d["configuration_url"].(string); ok {
		u, err := url.Parse(link)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			c.errorf("%s: configuration_url %q", at, link)
		}
	}
}

func (c *checker) originBlock(at string, raw any) {
	o, ok := raw.(map[string]any)
	if !ok {
		c.errorf("%s: no origin", at)
		return
	}
	c.keys(at+" origin", o, "name", originKeys)
}

func (c *checker) keys(at string, v map[string]any, required, allowed string) {
	for _, k := range strings.Fields(required) {
		if _, ok := v[k]; !ok {
			c.errorf("%s: no %s", at, k)
		}
	}
	all := append(strings.Fields(required), strings.Fields(allowed)...)
	for _, k := range slices.Sorted(maps.Keys(v)) {
		if !slices.Contains(all, k) {
			c.errorf("%s: unknown key %s", at, k)
		}
	}
}

func (c *checker) availability(at string, v map[string]any) {
	list, has := v["availability"]
	if _, both := v["availability_topic"]; both && has {
		c.errorf("%s: availability and availability_topic", at)
	}
	if !has {
		return
	}
	entries, ok := list.([]any)
	if !ok {
		c.errorf("%s: availability is not a list", at)
	}
	if len(entries) > 1 && v["availability_mode"] != "all" {
		c.errorf("%s: availability_mode %v of %d entries: the newest message alone would decide", at, v["availability_mode"], len(entries))
	}
	for _, raw := range entries {
		e, _ := raw.(map[string]any)
		c.keys(at+" availability", e, "topic", "payload_available payload_not_available value_template")
		c.from(at, e["topic"])
	}
}

func (c *checker) component(at, platform string, v map[string]any) {
	r := rules()[platform]
	if platform == "device_automation" {
		c.trigger(at, v, r)
		return
	}
	c.keys(at, v, "unique_id name qos "+r.required, commonKeys+" "+r.optional)
	c.availability(at, v)
	for _, k := range []string{"unique_id", "default_entity_id"} {
		id, _ := v[k].(string)
		if other := c.seen[id]; other != "" || id == "" {
			c.errorf("%s: %s %q is also that of %s", at, k, id, other)
		}
		c.seen[id] = at
	}
	entityID := regexp.MustCompile(`^` + platform + `\.[a-z0-9]+(_[a-z0-9]+)*$`)
	if id, _ := v["default_entity_id"].(string); !entityID.MatchString(id) || id != platform+"."+fmt.Sprint(v["object_id"]) {
		c.errorf("%s: default_entity_id %q, object_id %q", at, id, v["object_id"])
	}
	for _, k := range []string{"state_topic", "topic", "image_topic", "json_attributes_topic"} {
		if t, ok := v[k]; ok {
			c.from(at, t)
		}
	}
	if t, ok := v["command_topic"]; ok {
		c.to(at, t)
	}
	if class, ok := v["device_class"].(string); ok && !slices.Contains(strings.Fields(r.classes), class) {
		c.errorf("%s: device_class %q", at, class)
	}
	if icon, ok := v["icon"].(string); ok && !strings.HasPrefix(icon, "mdi:") {
		c.errorf("%s: icon %q", at, icon)
	}
	c.category(at, platform, v)
	c.values(at, platform, v)
}

// trigger is a device trigger, which is no entity: it has neither id nor state.
func (c *checker) trigger(at string, v map[string]any, r rule) {
	c.keys(at, v, "qos "+r.required, r.optional)
	if v["automation_type"] != "trigger" {
		c.errorf("%s: automation_type %v", at, v["automation_type"])
	}
	c.from(at, v["topic"])
}

func (c *checker) category(at, platform string, v map[string]any) {
	category, has := v["entity_category"].(string)
	reads := strings.HasSuffix(platform, "sensor")
	switch {
	case !has:
	case category != "config" && category != "diagnostic":
		c.errorf("%s: entity_category %q", at, category)
	case category == "config" && reads:
		c.errorf("%s: a %s cannot be config", at, platform)
	}
}

func (c *checker) values(at, platform string, v map[string]any) {
	switch platform {
	case "number":
		least, has := v["min"].(float64) // 1 otherwise
		most, _ := v["max"].(float64)
		step, _ := v["step"].(float64)
		if !has || least < 0 || least >= most || step < 0.001 || !slices.Contains([]any{"auto", "box", "slider"}, v["mode"]) {
			c.errorf("%s: min %v max %v step %v mode %v", at, v["min"], v["max"], v["step"], v["mode"])
		}
	case "select":
		if o, _ := v["options"].([]any); len(o) < 2 {
			c.errorf("%s: options %v", at, v["options"])
		}
	case "event":
		if o, _ := v["event_types"].([]any); len(o) == 0 {
			c.errorf("%s: event_types %v", at, v["event_types"])
		}
	case "sensor":
		units := map[any][]any{
			"timestamp": {nil}, "data_rate": {"B/s", "kB/s", "MB/s"}, "temperature": {"°C", "°F", "K"}, "signal_strength": {"dB", "dBm"},
		}
		if allowed := units[v["device_class"]]; allowed != nil && !slices.Contains(allowed, v["unit_of_measurement"]) {
			c.errorf("%s: %v in %v", at, v["device_class"], v["unit_of_measurement"])
		}
		if v["device_class"] == "timestamp" && v["state_class"] != nil {
			c.errorf("%s: a timestamp with state_class", at)
		}
	}
	if q, ok := v["qos"].(float64); !ok || q != 0 && q != 1 {
		c.errorf("%s: qos %v", at, v["qos"])
	}
	if e, has := v["enabled_by_default"]; has && e != false {
		c.errorf("%s: enabled_by_default %v is the default", at, e)
	}
	if e, has := v["expire_after"].(float64); has && e < 1 {
		c.errorf("%s: expire_after %v", at, e)
	}
}

// from and to check that a topic is in topics.md and of the right direction.
func (c *checker) from(at string, topic any) {
	if ch, ok := c.channel(topic); !ok || !ch.FromCamera {
		c.errorf("%s: %v is not published by cameras", at, topic)
	}
}

func (c *checker) to(at string, topic any) {
	if topic == c.base.AllCmd() {
		return
	}
	if ch, ok := c.channel(topic); !ok || ch.FromCamera {
		c.errorf("%s: %v is not obeyed by cameras", at, topic)
	}
}

func (c *checker) channel(topic any) (wire.Channel, bool) {
	s, _ := topic.(string)
	_, kind, ok := c.base.Split(s)
	if key, set := strings.CutPrefix(string(kind), "set/"); set {
		return wire.ChannelOf(wire.KindSetKey), ok && slices.Contains(wire.Settings(), wire.Setting(key))
	}
	return wire.ChannelOf(kind), ok
}
