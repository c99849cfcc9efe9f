package enrol

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
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
	Invites  InviteStore
	Accounts string // the accounts file, to which cameras are added
	Guard    Guard
	Base     wire.Base
	Prefix   string // Home Assistant's, which nodes are told
	// Endpoint says how the hub is reached now; false while its certificate is not there
	// yet, or where it speaks no TLS.
	Endpoint func() (Endpoint, bool)
	// InUse reports an id that no camera may join with, because another one has it; nil
	// reports none.
	InUse   func(wire.ID) error
	Log     *slog.Logger
	Timeout time.Duration // of one exchange; 0 is 20 s
	Every   time.Duration // between looks at Endpoint; 0 is 2 s
}

// Hub lets nodes in. Make one with [New].
type Hub struct {
	o     Options
	log   *slog.Logger
	often *ratelog.Logger // what clients can cause
}

// New checks the options. It writes and starts nothing.
func New(o Options) (*Hub, error) {
	if o.Invites == "" || o.Accounts == "" || o.Guard == nil || o.Endpoint == nil || o.Log == nil {
		return nil, errors.New("enrolment: Invites, Accounts, Guard, Endpoint and Log are needed")
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
	var last *Endpoint
	known, trouble := false, ""
	tick := time.NewTicker(h.o.Every)
	defer tick.Stop()
	for {
		var now *Endpoint
		if d, ok := h.o.Endpoint(); ok {
			now = &d
		}
		if !known || !reflect.DeepEqual(now, last) {
			err := h.o.Invites.publish(now)
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
	in, err := h.o.Invites.Invite(camera, nil)
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

// Handle serves the requests of one node on a connection whose TLS handshake is over. The
// caller closes the connection.
func (h *Hub) Handle(c *tls.Conn) { h.serve(c) }

func (h *Hub) serve(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(h.o.Timeout))
	r := bufio.NewReader(io.LimitReader(c, 4*maxBody)) // of all requests
	for {
		req, err := http.ReadRequest(r)
		if errors.Is(err, io.EOF) {
			return // also after [Probe]
		}
		status, a := http.StatusBadRequest, answer{Error: "fault"}
		if err == nil {
			status, a = h.respond(c.RemoteAddr(), req)
		} else {
			h.often.Warn("join request not readable", "from", c.RemoteAddr().String())
		}
		if write(c, status, a) != nil || err != nil {
			return
		}
	}
}

// write sends one answer.
func write(w io.Writer, status int, a answer) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	resp := http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	return resp.Write(w)
}

// respond answers one request.
func (h *Hub) respond(from net.Addr, req *http.Request) (status int, a answer) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, req.Body, maxBody))
	switch {
	case err != nil:
		return http.StatusBadRequest, answer{Error: "fault"}
	case req.URL.Path != path:
		return http.StatusNotFound, answer{Error: "fault"}
	case req.Method == http.MethodGet:
		d, _ := h.o.Endpoint()
		return http.StatusOK, answer{Scheme: d.Scheme, Base: string(h.o.Base), Prefix: h.o.Prefix}
	case req.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, answer{Error: "fault"}
	}
	camera, err := h.join(from, body)
	if err != nil {
		h.often.Warn("no camera joined", "from", from.String(), "cam", string(camera), "why", err)
		return http.StatusForbidden, answer{Error: word(err)}
	}
	h.log.Info("camera joined", "cam", string(camera), "from", from.String())
	return http.StatusOK, answer{}
}

// join redeems an invitation and makes the account, with the token that the node has kept.
func (h *Hub) join(from net.Addr, body []byte) (camera wire.ID, err error) {
	var q request
	if json.Unmarshal(body, &q) != nil { // its error repeats the body
		return "", errors.New("the request is not JSON of the expected form")
	}
	if access.CheckToken(q.Token) != nil {
		return "", errToken
	}
	if camera, err = h.redeem(from, q); err != nil {
		return camera, err
	}
	err = access.AddToken(h.o.Accounts, access.Account{Name: string(camera), Role: access.Camera, Cameras: []wire.ID{camera}}, q.Token)
	if errors.Is(err, access.ErrExists) {
		return camera, fmt.Errorf("%w (%w)", ErrExists, err)
	}
	if err != nil {
		return camera, err
	}
	return camera, h.o.Guard.Reload()
}

// redeem uses up an invitation, as often as the guard allows.
func (h *Hub) redeem(from net.Addr, q request) (wire.ID, error) {
	giveBack, err := h.o.Guard.Guess(from)
	if err != nil {
		return "", fmt.Errorf("%w (%w)", ErrSlow, err)
	}
	if id, err := hex.DecodeString(q.Invitation); err != nil || len(id) != len(Code{}.ID) {
		return "", ErrUnknown
	}
	camera, right, err := h.o.Invites.redeem(q.Invitation, q.Secret, time.Now())
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
