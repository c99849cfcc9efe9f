package dashboard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"camqtt/dashboard/internal/login"
	"camqtt/dashboard/internal/respond"
	"camqtt/dashboard/internal/webguard"
	"camqtt/dashboard/internal/wsconn"
	"camqtt/internal/ratelog"
)

// websockets joins browsers to the broker.
type websockets struct {
	attach       Attach
	guard        *webguard.Guard
	open         *semaphore
	limit        int
	messageBytes int64
	ping         time.Duration
	log          *slog.Logger
	limited      *ratelog.Logger
}

// serve upgrades a request and serves MQTT until either side ends it.
func (ws *websockets) serve(w http.ResponseWriter, r *http.Request) {
	from := ws.guard.Client(r)
	if !ws.acceptable(w, r) {
		return
	}
	leave, ok := ws.open.acquire()
	if !ok {
		w.Header().Set("Retry-After", "10")
		respond.Text(w, http.StatusServiceUnavailable, "%d browsers are connected, which is the limit", ws.limit)
		return
	}
	defer leave()
	user := login.UserOf(r)
	c, err := wsconn.Upgrade(w, r, wsconn.Options{
		From: from, User: user.Principal, Known: user.Known, MessageBytes: ws.messageBytes,
	})
	if err != nil {
		ws.log.Debug("websocket not opened", "from", from.String(), "err", err)
		return
	}
	if user.Session != nil {
		defer context.AfterFunc(user.Session.Context(), func() {
			c.CloseWith(websocket.ClosePolicyViolation, "the session has ended")
			_ = c.Close()
		})()
	}
	ws.join(r.Context(), c)
}

// acceptable refuses requests that may not open a WebSocket, or are for none.
func (ws *websockets) acceptable(w http.ResponseWriter, r *http.Request) bool {
	refused := func(args ...any) {
		ws.limited.Warn("websocket refused", append([]any{"from", ws.guard.Client(r).String()}, args...)...)
	}
	if !websocket.IsWebSocketUpgrade(r) {
		if r.Header.Get("Sec-WebSocket-Key") != "" {
			refused("why", "a proxy has taken the header Upgrade away: it must pass on Upgrade and Connection")
		}
		w.Header().Set("Upgrade", "websocket")
		respond.Text(w, http.StatusUpgradeRequired,
			"this is MQTT over WebSocket: connect with a WebSocket client, sub-protocol mqtt")
		return false
	}
	if origin := r.Header.Get("Origin"); !ws.guard.AllowsOrigin(r, origin) {
		refused("origin", origin, "host", r.Host, "why", ws.guard.Remedy(r, origin))
		respond.Text(w, http.StatusForbidden, "%s", ws.guard.Refusal(r, origin))
		return false
	}
	if wsconn.Subprotocol(r) == "" {
		respond.Text(w, http.StatusBadRequest,
			"the WebSocket sub-protocol %q is needed: want the header Sec-WebSocket-Protocol: %s", wsconn.MQTT, wsconn.MQTT)
		return false
	}
	return true
}

// join serves one browser until either side ends it.
func (ws *websockets) join(ctx context.Context, c *wsconn.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { // ends with ctx; join waits
		defer close(ended)
		c.KeepAlive(ctx, ws.ping)
	}()
	// Registered first, so that they also run when attach panics.
	defer func() { <-ended }()
	defer cancel()
	defer func() { _ = c.Close() }()
	if err := ws.attach(ctx, c); err != nil && !errors.Is(err, context.Canceled) {
		ws.log.Debug("browser left", "from", c.RemoteAddr().String(), "err", err)
	}
}
