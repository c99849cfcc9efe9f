// Package hass describes cameras to Home Assistant in the form its MQTT
// discovery reads. It owns the names under which cameras and their entities are
// known there, and what each entity shows and sends. It does no I/O, keeps no
// state and never invents a topic: all it refers to is in topics.md.
package hass
