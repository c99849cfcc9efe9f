package homeassistant

import "camqtt/internal/wire"

const triggerPlatform = "device_automation"

// trigger is what an automation of Home Assistant can begin with. Unlike an event
// or image entity it has no state, which a restart of Home Assistant would set
// anew: it fires only when something happens.
type trigger struct {
	Platform       string `json:"platform,omitempty"`
	AutomationType string `json:"automation_type"`
	Type           string `json:"type"`
	Subtype        string `json:"subtype"`
	Topic          string `json:"topic"`
	ValueTemplate  string `json:"value_template"`
	Payload        string `json:"payload"`
	QoS            byte   `json:"qos"`
}

// triggerMessage is the payload of <prefix>/device_automation/<object>/<key>/config.
type triggerMessage struct {
	trigger
	Device device `json:"device"`
	Origin origin `json:"origin"`
}

// triggerPlaces returns the place of every trigger there is.
func triggerPlaces() []place {
	var all []place
	for _, event := range append(eventTypes(), motionEvents()...) {
		all = append(all, triggerPlace(event))
	}
	return all
}

func triggerPlace(event string) place { return place{"on_" + event, triggerPlatform} }

// triggers returns one for each event of the camera. Their type is the event's.
func (s subject) triggers() []part {
	var all []part
	for _, event := range s.events() {
		all = append(all, part{triggerPlace(event), &trigger{
			AutomationType: "trigger", Type: event, Subtype: "camera",
			Topic: s.topic(wire.KindEvent), ValueTemplate: "{{ value_json.event_type }}", Payload: event,
			QoS: qos(wire.KindEvent),
		}})
	}
	return all
}

func eventTypes() []string {
	return []string{wire.EventSnapshot, wire.EventStreamStarted, wire.EventStreamStopped, wire.EventError}
}

func motionEvents() []string { return []string{wire.EventMotionStarted, wire.EventMotionStopped} }

// events returns the types of the events that the camera publishes.
func (s subject) events() []string {
	types := eventTypes()
	if s.can(capMotion) {
		types = append(types, motionEvents()...)
	}
	return types
}
