// Package dashboard is the HTTP side of the program: the page, the WebSocket edge
// that joins browsers to a broker, single pictures, live streams, and what machines
// ask for (health, metrics, a list). It owns its listener, every connection accepted
// there, and the rules about who on the web may talk to it: Host, Origin, policy
// headers, limits. It never interprets what a browser says over MQTT, never keeps
// more than the newest picture for a slow viewer, and never writes credentials or
// query strings to the log.
package dashboard
