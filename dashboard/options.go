package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// Attach serves one browser's MQTT connection until either side ends it, and has
// then closed c. The broker's method of the same name is one; [Remote] makes
// another.
type Attach func(ctx context.Context, c net.Conn) error

// Pictures is where pictures come from.
type Pictures interface {
	// Snap returns one picture. Its errors are those of [viewer.Viewer.Snap].
	Snap(ctx context.Context, id wire.ID, a viewer.Ask) (viewer.Picture, error)
	// Watch holds a lease and shows pictures until ctx is done, as
	// [viewer.Viewer.Watch] does.
	Watch(ctx context.Context, id wire.ID, want viewer.Live, show func(viewer.Picture) error) error
}

// Cameras is what is known of cameras.
type Cameras interface {
	Cameras() []viewer.Camera
	Camera(id wire.ID) (viewer.Camera, bool)
}

// Viewer is what the dashboard needs of a [viewer.Viewer].
type Viewer interface {
	Pictures
	Cameras
}

// Visitor is who asks for something over HTTP.
type Visitor struct {
	User, Password string   // of HTTP Basic authentication; empty when none was sent
	From           net.Addr // the browser's address; behind a proxy on this machine, the one the proxy names
	MQTT           bool     // asks for the WebSocket, where the broker asks for an account once more
}

// Counter is one figure for /metrics that somebody else counts.
type Counter struct {
	Name  string // of a-z 0-9 _; appears as camqtt_<Name>
	Help  string
	Value float64
	Gauge bool // may go down
}

// Limits bounds what visitors may cost. The zero value of a field is its default.
type Limits struct {
	Connections  int           // open HTTP connections and WebSockets together; default 1000
	Sockets      int           // open WebSockets; default 500
	Streams      int           // open stream.mjpg; default 64
	Snapshots    int           // requests that wait for a picture; default 128
	MessageBytes int64         // one WebSocket message from a browser; default 4 MiB
	Ping         time.Duration // between WebSocket pings; silent for two of them is dead; default 30 s
	WriteTimeout time.Duration // who takes nothing for so long is dropped; default 20 s
	SnapTimeout  time.Duration // of a snapshot that names none, at most 30 s; default 10 s
}

// Options says what a dashboard is made of. Attach, Viewer and Log are needed, and
// Listener for Serve.
type Options struct {
	Listener net.Listener // bound by the caller, closed by Serve
	Base     wire.Base
	Attach   Attach
	Viewer   Viewer
	// Origins are further origins, such as https://cams.example, whose pages may open
	// the WebSocket. Their host names are also accepted as Host on loopback, which is
	// what a reverse proxy on this machine needs.
	Origins []string
	// Ready says whether the broker can be reached, for /readyz; nil is always.
	Ready func() bool
	// Access says whether a visitor may have what is asked for, whatever it is but
	// /healthz, which is open to all; nil lets everybody. A visitor who may not is
	// asked for an account. It must be quick and safe for concurrent use.
	Access func(Visitor) bool
	// Broker adds counters of a broker in this process, or of [RemoteCounts], to
	// /metrics; may be nil.
	Broker  func() []Counter
	Version string // shown in /metrics
	Log     *slog.Logger
	Limits  Limits
}

// maxSnapTime is the longest a request may wait for a picture.
const maxSnapTime = 30 * time.Second

func (l Limits) withDefaults() (Limits, error) {
	for _, f := range []struct {
		name string
		v    *int
		def  int
	}{
		{"Connections", &l.Connections, 1000},
		{"Sockets", &l.Sockets, 500},
		{"Streams", &l.Streams, 64},
		{"Snapshots", &l.Snapshots, 128},
	} {
		switch {
		case *f.v < 0:
			return l, fmt.Errorf("dashboard: limit %s is %d: want 0 (the default, %d) or more", f.name, *f.v, f.def)
		case *f.v == 0:
			*f.v = f.def
		}
	}
	for _, f := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"Ping", &l.Ping, 30 * time.Second},
		{"WriteTimeout", &l.WriteTimeout, 20 * time.Second},
		{"SnapTimeout", &l.SnapTimeout, 10 * time.Second},
	} {
		switch {
		case *f.v < 0:
			return l, fmt.Errorf("dashboard: limit %s is %s: want 0 (the default, %s) or more", f.name, *f.v, f.def)
		case *f.v == 0:
			*f.v = f.def
		}
	}
	if l.SnapTimeout > maxSnapTime {
		return l, fmt.Errorf("dashboard: limit SnapTimeout is %s: want at most %s", l.SnapTimeout, maxSnapTime)
	}
	if l.MessageBytes < 0 {
		return l, fmt.Errorf("dashboard: limit MessageBytes is %d: want 0 (the default, 4 MiB) or more", l.MessageBytes)
	}
	if l.MessageBytes == 0 {
		l.MessageBytes = 4 << 20
	}
	return l, nil
}

func (o Options) check() (Options, error) {
	if o.Attach == nil || o.Viewer == nil || o.Log == nil {
		return o, errors.New("dashboard: Attach, Viewer and Log are needed")
	}
	var err error
	if o.Base, err = wire.ParseBase(string(o.Base)); err != nil {
		return o, fmt.Errorf("dashboard: %w", err)
	}
	o.Limits, err = o.Limits.withDefaults()
	if o.Ready == nil {
		o.Ready = func() bool { return true }
	}
	return o, err
}
