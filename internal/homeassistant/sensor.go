package homeassistant

import "camqtt/internal/wire"

func connection(s subject) *component {
	return &component{
		Name:           named("Connection"),
		DeviceClass:    "connectivity",
		EntityCategory: diagnostic,
		Availability:   always(),
		StateTopic:     s.topic(wire.KindStatus),
		ValueTemplate:  either("value == '"+wire.Offline+"'", wire.Offline, wire.Online),
		PayloadOn:      wire.Online,
		PayloadOff:     wire.Offline,
		QoS:            qos(wire.KindStatus),
	}
}

// problem has the code and the text of the trouble as attributes, and warning
// where pictures come, but not as asked, which is no problem yet.
func problem(s subject) *component {
	return &component{
		Name:                named("Problem"),
		DeviceClass:         "problem",
		EntityCategory:      diagnostic,
		StateTopic:          s.topic(wire.KindState),
		ValueTemplate:       either("value_json.error", "ON", "OFF"),
		PayloadOn:           "ON",
		PayloadOff:          "OFF",
		JSONAttributesTopic: s.topic(wire.KindState),
		JSONAttributesTemplate: "{% set error = value_json.error or dict() %}" +
			"{{ (dict(error, warning=value_json.warning) if value_json.warning | default(none) else error) | to_json }}",
		QoS: qos(wire.KindState),
	}
}

func lastPicture(s subject) *component {
	return &component{
		Name:           named("Last picture"),
		DeviceClass:    "timestamp",
		EntityCategory: diagnostic,
		StateTopic:     s.topic(wire.KindState),
		ValueTemplate:  field("last_frame"),
		QoS:            qos(wire.KindState),
	}
}

func frameRate(s subject) *component {
	c := reading(s, "Frame rate", field("fps"))
	c.Icon, c.Unit, c.Precision = "mdi:speedometer", "fps", 1
	return c
}

func bandwidth(s subject) *component {
	c := reading(s, "Bandwidth", "{{ (value_json.bytes_per_second | default(0, true)) / 1000 }}")
	c.DeviceClass, c.Unit, c.Precision = "data_rate", "kB/s", 1
	c.EnabledByDefault = off()
	return c
}

func temperature(s subject) *component {
	if !s.senses(wire.SensorTemperature) {
		return nil
	}
	c := reading(s, "Processor temperature", field("temperature"))
	c.DeviceClass, c.Unit, c.Precision = "temperature", "°C", 1
	return c
}

func signal(s subject) *component {
	if !s.senses(wire.SensorSignal) {
		return nil
	}
	c := reading(s, "Wi-Fi signal", field("signal"))
	c.DeviceClass, c.Unit = "signal_strength", "dBm"
	c.EnabledByDefault = off()
	return c
}

func reconnects(s subject) *component {
	c := reading(s, "Reconnects", field("reconnects"))
	c.Icon, c.StateClass = "mdi:lan-disconnect", "total_increasing"
	c.EnabledByDefault = off()
	return c
}

// reading is a sensor of something in stats.
func reading(s subject, name, template string) *component {
	return &component{
		Name:           named(name),
		EntityCategory: diagnostic,
		StateClass:     "measurement",
		StateTopic:     s.topic(wire.KindStats),
		ValueTemplate:  template,
		ExpireAfter:    s.expiry(),
		QoS:            qos(wire.KindStats),
	}
}

// started is the uptime in the form that changes only when the camera restarts:
// a count of seconds would be a row in Home Assistant's history every time.
func started(s subject) *component {
	return &component{
		Name:             named("Uptime"),
		DeviceClass:      "timestamp",
		EntityCategory:   diagnostic,
		EnabledByDefault: off(),
		StateTopic:       s.topic(wire.KindInfo),
		ValueTemplate:    field("started"),
		QoS:              qos(wire.KindInfo),
	}
}

func viewers(s subject) *component {
	return &component{
		Name:             named("Viewers"),
		Icon:             "mdi:account-eye",
		EntityCategory:   diagnostic,
		EnabledByDefault: off(),
		StateClass:       "measurement",
		StateTopic:       s.topic(wire.KindState),
		ValueTemplate:    field("viewers"),
		QoS:              qos(wire.KindState),
	}
}
