// Package homeassistant describes cameras to Home Assistant in the form that its MQTT
// discovery reads. It owns the names of devices and entities there, and what each entity
// shows and sends. It does no I/O and keeps no state. Every topic that it refers to is in
// topics.md.
package homeassistant
