// Package announce keeps the discovery messages that a broker retains up to date: those of
// one camera, or of every camera on the broker. It decides when they are published, and
// whether at all; package homeassistant decides what is in them. It publishes nothing that
// the broker retains already, and nothing while another announcer does it. The caller owns
// the connection.
package announce
