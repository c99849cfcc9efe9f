package dashboard

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"
)

// subprotocol is the name of MQTT over WebSocket. [MQTT-6.0.0-3] Clients of MQTT 3.1 name
// their own.
const (
	subprotocol    = "mqtt"
	oldSubprotocol = "mqttv3.1"
)

// mqttPath is where browsers find it.
const mqttPath = "/mqtt"

// mqtt joins a browser to the broker.
func (d *Dashboard) mqtt(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		if r.Header.Get("Sec-WebSocket-Key") != "" {
			d.often.Warn("websocket refused", "from", d.proxies.client(r).String(), "why", "a proxy has taken the header Upgrade away: it must pass on Upgrade and Connection")
		}
		w.Header().Set("Upgrade", "websocket")
		refuse(w, http.StatusUpgradeRequired, "this is MQTT over WebSocket: connect with a WebSocket client, sub-protocol mqtt")
		return
	}
	if origin := r.Header.Get("Origin"); !d.origins.allows(r, origin) {
		d.often.Warn("websocket refused", "from", d.proxies.client(r).String(), "origin", origin, "host", r.Host, "why", d.origins.cure(r, origin))
		refuse(w, http.StatusForbidden, "%s", d.origins.refusal(r, origin))
		return
	}
	if chosenSubprotocol(r) == "" {
		refuse(w, http.StatusBadRequest, "the WebSocket sub-protocol %q is needed: want the header Sec-WebSocket-Protocol: %s", subprotocol, subprotocol)
		return
	}
	leave, ok := d.sockets.enter()
	if !ok {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, "%d browsers are connected, which is the limit", d.opts.Limits.Sockets)
		return
	}
	defer leave()
	s, err := upgrade(w, r, d.proxies.client(r), d.opts.Limits.MessageBytes)
	if err != nil {
		d.opts.Log.Debug("websocket not opened", "from", d.proxies.client(r).String(), "err", err)
		return
	}
	if x := s.who.session; x != nil {
		defer context.AfterFunc(x.ctx, func() {
			s.CloseWith(websocket.ClosePolicyViolation, "the session has ended")
			_ = s.Close()
		})()
	}
	d.join(r.Context(), s)
}

// chosenSubprotocol is the one that the answer names; "" where a client names none of MQTT.
func chosenSubprotocol(r *http.Request) string {
	names := websocket.Subprotocols(r)
	for _, name := range []string{subprotocol, oldSubprotocol} {
		if slices.Contains(names, name) {
			return name
		}
	}
	return ""
}

// join serves one browser until either side ends it.
func (d *Dashboard) join(ctx context.Context, s *socket) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() { // ends with ctx; join waits
		defer close(over)
		s.watch(ctx, d.opts.Limits.Ping)
	}()
	// Registered first, so that they also run when Attach panics.
	defer func() { <-over }()
	defer cancel()
	defer func() { _ = s.Close() }()
	if err := d.opts.Attach(ctx, s); err != nil && !errors.Is(err, context.Canceled) {
		d.opts.Log.Debug("browser left", "from", s.from.String(), "err", err)
	}
}

// watch pings and closes the line when nothing has come for two pings.
func (s *socket) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	before, silent := s.heard.Load(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		silent++
		if now := s.heard.Load(); now != before {
			before, silent = now, 0
		}
		if silent == 2 { // the ping of the last turn was not answered
			_ = s.line.Close()
			return
		}
		if s.ping() != nil {
			return
		}
	}
}
