package dashboard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"camqtt/dashboard/internal/login"
	"camqtt/dashboard/internal/session"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// Attach serves one browser's MQTT connection until either side ends it, and has
// then closed c. The broker's method of the same name is one; [Remote] makes
// another.
type Attach func(ctx context.Context, c net.Conn) error

// Pictures is where pictures come from.
type Pictures interface {
	// Still takes one picture that is no snapshot, where the camera can. Its errors are
	// those of [viewer.Viewer.Still].
	Still(ctx context.Context, id wire.ID, a viewer.Ask) (viewer.Picture, error)
	// Kept returns the newest picture there is, if there is one, and takes none.
	Kept(ctx context.Context, id wire.ID) (viewer.Picture, bool, error)
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

// Access identifies users. [access.Accounts] does.
type Access = login.Access

// SessionKey signs sessions.
type SessionKey = session.Key

// OpenSessionKey reads a key, or makes one where there is no file yet.
func OpenSessionKey(file string) (*SessionKey, error) { return session.OpenKey(file) }

// Counter is one figure for /metrics that another package counts.
type Counter struct {
	Name  string // of a-z 0-9 _; appears as camqtt_<Name>
	Help  string
	Value float64
	Gauge bool // may go down
	// Camera is whose figure it is, "" that of all together. It is shown as the label id,
	// and only while the dashboard knows the camera.
	Camera wire.ID
}

// Limits bounds what clients may use. The zero value of a field is its default.
type Limits struct {
	// Connections are open HTTP connections and WebSockets together. One address may have a
	// quarter of them, loopback all. Beyond that, idle ones are closed. Default 1000.
	Connections  int
	Sockets      int           // open WebSockets; default 500
	Streams      int           // open stream.mjpg; default 64
	Snapshots    int           // requests that wait for a picture; default 128
	MessageBytes int64         // one WebSocket message from a browser; default 4 MiB
	Ping         time.Duration // between WebSocket pings; silent for two of them is dead; default 30 s
	WriteTimeout time.Duration // a client that accepts nothing for so long is dropped; default 20 s
	SnapTimeout  time.Duration // of a snapshot that names none, at most 30 s; default 30 s
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
	// Embed are origins of sites that may show the page in a frame and pictures in img
	// elements.
	Embed []string
	// TrustedProxies are addresses and networks of proxies whose X-Forwarded headers are
	// believed, and the word loopback; nil is loopback.
	TrustedProxies []string
	// Ready says whether the broker can be reached, for /readyz; nil is always.
	Ready func() bool
	// Disk reports, for /readyz, that nothing more can be kept; nil is never.
	Disk func() error
	// Access identifies the user of a request, by a login, by Authorization or ?token=, or
	// by the address. Rights are the same as over MQTT. nil grants every request everything.
	Access Access
	// SessionKey signs sessions; nil is a key of this process, with which they end.
	SessionKey *SessionKey
	// EndedSessions is the file in which sessions are remembered that were ended before
	// their time; "" forgets them with the process.
	EndedSessions string
	// Hosts are further names under which browsers may reach the port, such as
	// cams.example. Addresses, localhost, the name of this machine, names without a dot and
	// names of home networks (.local, .lan, .home.arpa, .internal) are always allowed; on
	// loopback only those of this machine are. The hosts of Origins are allowed too.
	Hosts []string
	// Named reports whether the port's certificate is for a host, which is then one of
	// Hosts; nil is for none. It must be quick.
	Named func(host string) bool
	// Enrol lets admins add cameras; nil cannot.
	Enrol Enroller
	// Users lets admins see and change accounts; nil cannot.
	Users Users
	// OwnRights says that Attach gives browsers the rights of an account of its own, as
	// [Remote] does with User, instead of theirs. Then only users who may operate every
	// camera get the WebSocket.
	OwnRights bool
	// Protocols are answered in the place of HTTP on TLS connections whose client has
	// asked for them by ALPN (RFC 7301): by name, what serves one until it ends.
	Protocols map[string]func(*tls.Conn)
	// Discovery is Home Assistant's topic prefix, for rights; "" is homeassistant.
	Discovery string
	// Broker adds counters of a broker in this process, or of [RemoteCounts], to
	// /metrics; may be nil.
	Broker  func() []Counter
	Version string // shown in /metrics
	Log     *slog.Logger
	Limits  Limits
}

const (
	// maxSnapTime is the longest that a request may name to wait for a picture.
	maxSnapTime = 30 * time.Second
	// maxCaptureTime is the longest wait for a camera that says that it needs more time.
	maxCaptureTime = 7 * time.Minute
)

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
		{"SnapTimeout", &l.SnapTimeout, maxSnapTime},
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
	if o.Named == nil {
		o.Named = func(string) bool { return false }
	}
	if o.Disk == nil {
		o.Disk = func() error { return nil }
	}
	if o.Ready == nil {
		o.Ready = func() bool { return true }
	}
	return o, err
}
