package homeassistant

import (
	"encoding/json"
	"testing"

	"camqtt/internal/testkit/homeassistant"
	"camqtt/internal/wire"
)

// The rules themselves must refuse what Home Assistant refuses, or the tests
// that lean on them would pass for anything.
func TestRulesRefuse(t *testing.T) {
	type object = map[string]any
	part := func(v object, path ...string) object {
		for _, p := range path {
			v = v[p].(object)
		}
		return v
	}
	for name, spoil := range map[string]func(v object){
		"unknown key at the top":       func(v object) { v["~"] = "cam/front" },
		"unknown key in device":        func(v object) { part(v, "device")["modell"] = "x" },
		"unknown key in origin":        func(v object) { part(v, "origin")["url"] = "x" },
		"no origin":                    func(v object) { delete(v, "origin") },
		"no device":                    func(v object) { delete(v, "device") },
		"no components":                func(v object) { delete(v, "components") },
		"no identifiers":               func(v object) { delete(part(v, "device"), "identifiers") },
		"no unique id":                 func(v object) { delete(part(v, "components", "snap"), "unique_id") },
		"no platform":                  func(v object) { delete(part(v, "components", "snap"), "platform") },
		"two kinds of availability":    func(v object) { part(v, "components", "snap")["availability_topic"] = "cam/front/status" },
		"state topic for an image":     func(v object) { part(v, "components", "snapshot")["state_topic"] = "cam/front/snapshot" },
		"state topic for a camera":     func(v object) { part(v, "components", "camera")["state_topic"] = "cam/front/preview" },
		"no topic for a camera":        func(v object) { delete(part(v, "components", "camera"), "topic") },
		"no event types":               func(v object) { delete(part(v, "components", "event"), "event_types") },
		"no options":                   func(v object) { delete(part(v, "components", "size"), "options") },
		"sensor that is configuration": func(v object) { part(v, "components", "viewers")["entity_category"] = "config" },
		"command that is not obeyed":   func(v object) { part(v, "components", "snap")["command_topic"] = "cam/front/state" },
		"setting that is not there":    func(v object) { part(v, "components", "fps")["command_topic"] = "cam/front/set/pan" },
		"state that is not published":  func(v object) { part(v, "components", "live")["state_topic"] = "cam/front/cmd" },
		"link without scheme":          func(v object) { part(v, "device")["configuration_url"] = "cams:8080" },
		"unit of another class":        func(v object) { part(v, "components", "temperature")["unit_of_measurement"] = "fps" },
		"class of another platform":    func(v object) { part(v, "components", "problem")["device_class"] = "timestamp" },
		"the same unique id twice":     func(v object) { part(v, "components", "snap")["unique_id"] = "camqtt_front_live" },
		"inherited qos":                func(v object) { delete(part(v, "components", "camera"), "qos") },
		"entity id with a hyphen":      func(v object) { part(v, "components", "snap")["default_entity_id"] = "button.front-snap" },
		"number without least":         func(v object) { delete(part(v, "components", "flash"), "min") },
		"number below its step":        func(v object) { part(v, "components", "fps")["step"] = 0.0001 },
	} {
		t.Run(name, func(t *testing.T) {
			o := fullOptions(Device)
			m := mustMessages(t, o, fullInfo())[0]
			var v object
			if err := json.Unmarshal(m.Payload, &v); err != nil {
				t.Fatal(err)
			}
			spoil(v)
			m.Payload, _ = json.Marshal(v)
			if homeassistant.Check(o.prefix(), o.Base, []wire.Message{m}) == nil {
				t.Error("accepted")
			}
		})
	}
	o := Options{Mode: Component}
	m := mustMessages(t, o, fullInfo())[0]
	m.Payload = []byte(`{"device":{"identifiers":["x"],"name":"x","model_id":"y"},"origin":{"name":"x"},"unique_id":"u","name":null,"qos":0,` +
		`"object_id":"x","default_entity_id":"camera.x","topic":"cam/front/preview"}`)
	if homeassistant.Check(o.prefix(), o.Base, []wire.Message{m}) == nil {
		t.Error("a device key that is younger than component mode's Home Assistants is accepted")
	}
}
