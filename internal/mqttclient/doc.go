// Package link keeps one MQTT 3.1.1 connection up: it connects, subscribes,
// notices silence, and connects again with growing, random pauses. It owns the
// socket and is the only package that knows the Paho client. It never stores a
// message: what is published while the connection is down fails at once, so
// that no old picture is ever shown and no old command is run.
package mqttclient
