package announce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"camqtt/internal/homeassistant"
	"camqtt/internal/wire"
)

// Link is what an announcer needs of its connection.
type Link interface {
	// Publish sends messages in order and returns when those of QoS 1 are
	// acknowledged.
	Publish(ctx context.Context, msgs ...wire.Message) error
}

// Options says for whom an announcer speaks. Link and Log are needed; the link's
// subscriptions include [Announcer.Filters], and it calls [Announcer.Handle],
// [Announcer.LinkUp] and [Announcer.LinkDown].
type Options struct {
	Hass homeassistant.Options
	Link Link
	Log  *slog.Logger
	// Camera is whom it speaks for, told of it by [Announcer.Info]. "" is every
	// camera whose info is seen: that is for the process of the broker, which
	// says so on the topic [wire.Base.Hub].
	Camera wire.ID
	// Bridge is what the camera's connection has in common with others of its
	// process; nil is nothing. Without Camera it is not used.
	Bridge *Bridge
}

// Bridge is a machine that fetches the pictures of several cameras: their
// announcers share it, so that one of them describes it.
type Bridge struct {
	id     wire.ID
	mu     sync.Mutex
	holder *Announcer
}

// NewBridge returns the bridge with an id, which is that of [wire.Info].Bridge.
func NewBridge(id wire.ID) *Bridge { return &Bridge{id: id} }

// hold reports whether a is the one that describes the bridge, which the first
// to ask is, until it lets go.
func (b *Bridge) hold(a *Announcer) bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holder == nil {
		b.holder = a
	}
	return b.holder == a
}

func (b *Bridge) release(a *Announcer) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holder == a {
		b.holder = nil
	}
}

const (
	settle      = time.Second      // changes within it are published together; Home Assistant loses part of a second message within one
	afterBridge = settle / 2       // a bridge comes before the cameras that hang from it
	leastBirth  = time.Second      // after Home Assistant has started, at least
	birthSpread = 4 * time.Second  // and at most so much more
	orphanGrace = time.Minute      // for the cameras of what is kept to say that they are there
	correction  = time.Minute      // between overwriting what others have written
	again       = 30 * time.Second // after a broker that did not acknowledge
	comeBack    = 15 * time.Second // for Home Assistant to connect again after the hub's broker has restarted; it tries every 10 s
	restore     = 5 * time.Second  // before a device that was deleted there is described again
	believe     = 5 * time.Second  // for Home Assistant to take in a device that it is then told to forget
	maxStrikes  = 3                // connections lost over discovery until it is given up
	maxCameras  = 10_000
	maxForgot   = 256      // cameras that Home Assistant has still to be told of
	maxInfo     = 16 << 10 // bytes of an info that is looked at
	batch       = 32       // messages under way at once
)

// New checks the options and returns an announcer that is not running.
func New(o Options) (*Announcer, error) {
	if o.Link == nil || o.Log == nil {
		return nil, errors.New("announce: Link and Log are needed")
	}
	if err := o.Hass.Check(); err != nil {
		return nil, err
	}
	if o.Camera != "" {
		if _, err := wire.ParseID(string(o.Camera)); err != nil {
			return nil, fmt.Errorf("announce: %w", err)
		}
	}
	return &Announcer{
		opts: o, when: schedule{ring: make(chan struct{}, 1)},
		infos: map[wire.ID]wire.Info{}, status: map[wire.ID]string{}, dirty: map[wire.ID]bool{},
		kept: map[string]sum{}, graves: map[string]bool{}, hold: map[homeassistant.Object]time.Time{},
		forgotten: map[wire.ID]bool{}, deleted: map[wire.ID]bool{},
	}, nil
}

// hub reports whether it speaks for every camera.
func (o Options) hub() bool { return o.Camera == "" }
