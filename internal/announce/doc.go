// Package announce keeps what the broker retains for Home Assistant true: the
// discovery messages of one camera, or of every camera the broker sees. It owns
// when they are published and whether at all; package hass owns what is in
// them. It never publishes what the broker keeps already, never anything while
// somebody else does it, and never connects by itself.
package announce
