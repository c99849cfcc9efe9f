// Package homeassistant stands in for Home Assistant's MQTT side in tests: it
// subscribes, refuses, renders and sends as that does. It owns the rules by
// which discovery is judged, written after Home Assistant's own schemas and not
// after ours. Nothing but tests imports it, and it imports nothing that
// describes cameras.
package homeassistant
