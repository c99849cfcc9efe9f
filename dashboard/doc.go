// Package dashboard is the HTTP side of the program: the page, MQTT over WebSocket,
// single pictures, live streams, and health, metrics and the list of cameras for machines.
// It owns its listener and every connection that it accepts. Credentials and query strings
// are never logged.
//
// # Structure
//
// [Dashboard] has the table of routes with the permission of each. Every request passes
// webguard (which sites may ask) and login (which user asks), then a handler: pictures,
// streams, websockets, cameraList, accounts or metrics.
//
// # Sessions
//
// A user who logs in gets a cookie that scripts cannot read. The cookie also authenticates
// the WebSocket of the dashboard's own page; Origin is checked. The embedded broker gets
// the user from the connection. At a broker elsewhere, every browser has the account of
// the dashboard, so only users who operate every camera get the WebSocket.
package dashboard
