package wsconn

import (
	"net/http"
	"slices"

	"github.com/gorilla/websocket"
)

// MQTT is the sub-protocol of MQTT over WebSocket [MQTT-6.0.0-3]. Clients of MQTT 3.1
// name their own.
const (
	MQTT    = "mqtt"
	oldMQTT = "mqttv3.1"
)

// Subprotocol is the one that the answer names; "" where a client names none of MQTT.
func Subprotocol(r *http.Request) string {
	names := websocket.Subprotocols(r)
	for _, name := range []string{MQTT, oldMQTT} {
		if slices.Contains(names, name) {
			return name
		}
	}
	return ""
}
