// Package dashboard is the HTTP side of the program: the page, the WebSocket edge
// that joins browsers to a broker, single pictures, live streams, and what machines
// ask for (health, metrics, a list). It owns its listener, every connection accepted
// there, the sessions of people who have logged in, and the rules about who on the web
// may talk to it: Host, Origin, policy headers, limits. Of what a browser says over MQTT
// it reads nothing but how it introduces itself, and it never keeps more than the newest
// picture for a slow viewer, and never writes credentials or query strings to the log.
//
// # Sessions and tickets
//
// Who logs in gets a cookie that scripts cannot read. The cookie alone opens no
// connection to the broker: for each one the page fetches a ticket, which is good once,
// for a minute, in the session that asked for it and under one client identifier. The
// ticket is taken out of CONNECT here, so the same holds before any broker: one in
// this process learns from the socket who has come, one elsewhere sees the account of
// the dashboard.
package dashboard
