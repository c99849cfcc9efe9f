package enrol

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/ratelog"
	"camqtt/internal/wire"
)

// Guard limits guessing. [access.Accounts] does.
type Guard interface {
	// Guess takes a try from an address; right gives it back. Its error is
	// [*access.Slow].
	Guess(from net.Addr) (right func(), err error)
	// Reload puts accounts in force that were added to the file.
	Reload() error
}

// Options says what a hub is made of. All but Timeout and Every are needed; Base may be
// empty for "cam".
type Options struct {
	Book     Book
	Accounts string // the accounts file, to which cameras are added
	Guard    Guard
	Base     wire.Base
	Prefix   string // Home Assistant's, which nodes are told
	// Door says how the hub is reached now; false while its certificate is not there
	// yet, or where it speaks no TLS.
	Door func() (Door, bool)
	// InUse reports an id that no camera may join with, because another one has it; nil
	// reports none.
	InUse   func(wire.ID) error
	Log     *slog.Logger
	Timeout time.Duration // of one exchange; 0 is 20 s
	Every   time.Duration // between looks at Door; 0 is 2 s
}

// Hub lets nodes in. Make one with [New].
type Hub struct {
	o     Options
	log   *slog.Logger
	often *ratelog.Logger // what clients can cause
}

// New checks the options. It writes and starts nothing.
func New(o Options) (*Hub, error) {
	if o.Book == "" || o.Accounts == "" || o.Guard == nil || o.Door == nil || o.Log == nil {
		return nil, errors.New("enrolment: Book, Accounts, Guard, Door and Log are needed")
	}
	if o.Base == "" {
		o.Base = wire.DefaultBase
	}
	if o.InUse == nil {
		o.InUse = func(wire.ID) error { return nil }
	}
	if o.Timeout <= 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Every <= 0 {
		o.Every = 2 * time.Second
	}
	log := o.Log.With("part", "enrolment")
	return &Hub{o: o, log: log, often: ratelog.New(log, time.Minute)}, nil
}

// Serve keeps in the book how the hub is reached, until ctx is done. A book that cannot
// be written is logged and tried again: cameras that have joined need none.
func (h *Hub) Serve(ctx context.Context) error {
	var last *Door
	known, trouble := false, ""
	tick := time.NewTicker(h.o.Every)
	defer tick.Stop()
	for {
		var now *Door
		if d, ok := h.o.Door(); ok {
			now = &d
		}
		if !known || !reflect.DeepEqual(now, last) {
			err := h.o.Book.publish(now)
			if known = err == nil; known {
				last, trouble = now, ""
			} else if err.Error() != trouble {
				trouble = err.Error()
				h.log.Error("no camera can join", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Invite makes an invitation for a camera in the name of who asks: an admin. Its errors
// are for people.
func (h *Hub) Invite(_ context.Context, who access.Principal, camera wire.ID) (Invitation, error) {
	if who.Role != access.Admin {
		return Invitation{}, errors.New("only an admin may add cameras")
	}
	if err := h.o.InUse(camera); err != nil {
		return Invitation{}, err
	}
	if err := Vacant(h.o.Accounts, camera); err != nil {
		return Invitation{}, fmt.Errorf("%w; camqtt user rm %s, or removing it here, makes room", err, camera)
	}
	in, err := h.o.Book.Invite(camera, nil)
	if errors.Is(err, ErrNoTLS) {
		err = fmt.Errorf("%w: want broker.tls.listen: 0.0.0.0:8883 in its configuration", err)
	}
	return in, err
}

// Vacant reports whether there is no account of a camera's name yet; else the error
// wraps [ErrExists] and [access.ErrExists].
func Vacant(accounts string, camera wire.ID) error {
	err := access.Vacant(accounts, string(camera))
	if errors.Is(err, access.ErrExists) {
		return fmt.Errorf("camera %s: %w: %w", camera, err, ErrExists)
	}
	return err
}

// Offer makes a TLS port speak [Protocol] to those who ask for it, and leaves it as it
// is for everybody else.
func Offer(conf *tls.Config) *tls.Config {
	outer := conf.Clone()
	outer.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		var chosen *tls.Config
		if conf.GetConfigForClient != nil {
			var err error
			if chosen, err = conf.GetConfigForClient(hello); err != nil {
				return nil, err
			}
		}
		if !slices.Contains(hello.SupportedProtos, Protocol) {
			return chosen, nil
		}
		if chosen == nil {
			chosen = conf
		}
		chosen = chosen.Clone()
		chosen.NextProtos, chosen.SessionTicketsDisabled, chosen.GetConfigForClient = []string{Protocol}, true, nil
		return chosen, nil
	}
	return outer
}

// Handle serves one node on a connection whose TLS handshake is over. The caller closes
// the connection.
func (h *Hub) Handle(c *tls.Conn) {
	_ = c.SetDeadline(time.Now().Add(h.o.Timeout))
	camera, err := h.exchange(c)
	from := c.RemoteAddr().String()
	switch {
	case err == nil:
		h.log.Info("camera joined", "cam", string(camera), "from", from)
	case errors.Is(err, errLooked):
	default:
		h.often.Warn("no camera joined", "from", from, "cam", string(camera), "why", err)
	}
}

// errLooked is how [Probe] ends.
var errLooked = errors.New("somebody has only looked whether the hub is here")

// exchange does what package enrol's comment says.
func (h *Hub) exchange(c net.Conn) (wire.ID, error) {
	r := bufio.NewReaderSize(c, maxLine)
	var q request
	switch err := hear(r, &q); {
	case errors.Is(err, io.EOF):
		return "", errLooked
	case err != nil:
		return "", err
	}
	camera, err := h.redeem(c.RemoteAddr(), q)
	if err != nil {
		_ = say(c, grant{Error: word(err)})
		return camera, err
	}
	token := access.NewToken()
	d, _ := h.o.Door()
	if err := say(c, grant{Camera: camera, Token: token, Scheme: d.Scheme, Base: string(h.o.Base), Prefix: h.o.Prefix}); err != nil {
		return camera, err
	}
	var s stored
	if err := hear(r, &s); err != nil {
		return camera, fmt.Errorf("the node did not say that it has kept its token, so it has no account, and another invitation is needed: %w", err)
	}
	if !s.Stored {
		return camera, errors.New("the node could not keep its token, so it has no account, and another invitation is needed")
	}
	if err := h.admit(camera, token); err != nil {
		_ = say(c, verdict{Error: word(err)})
		return camera, err
	}
	if err := say(c, verdict{Joined: true}); err != nil {
		return camera, fmt.Errorf("the account is made, but the node could not be told: %w", err)
	}
	return camera, nil
}

// redeem looks at an invitation, as often as the guard allows.
func (h *Hub) redeem(from net.Addr, q request) (wire.ID, error) {
	giveBack, err := h.o.Guard.Guess(from)
	if err != nil {
		return "", fmt.Errorf("%w (%w)", ErrSlow, err)
	}
	if id, err := hex.DecodeString(q.Invitation); err != nil || len(id) != len(Code{}.ID) {
		return "", ErrUnknown
	}
	camera, right, err := h.o.Book.redeem(q.Invitation, q.Secret, time.Now())
	if right {
		giveBack()
	}
	if err != nil {
		return camera, err
	}
	if err := h.o.InUse(camera); err != nil {
		return camera, fmt.Errorf("%w (%w)", ErrInUse, err)
	}
	return camera, Vacant(h.o.Accounts, camera)
}

// admit makes the account of a node that has its token.
func (h *Hub) admit(camera wire.ID, token string) error {
	err := access.AddToken(h.o.Accounts, access.Account{Name: string(camera), Role: access.Camera, Cameras: []wire.ID{camera}}, token)
	if errors.Is(err, access.ErrExists) {
		return fmt.Errorf("%w (%w)", ErrExists, err)
	}
	if err != nil {
		return err
	}
	return h.o.Guard.Reload()
}
