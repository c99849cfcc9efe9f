package dashboard

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

const (
	ticketLife = time.Minute
	maxTickets = 8 // of one session: a page needs one for each time that it connects
)

// ticket lets the page of one session connect once, under one client identifier.
type ticket struct {
	of     *session
	client string
	until  time.Time
}

// errTicket is what a browser is told, whatever was wrong with its ticket.
var errTicket = errors.New("the ticket is not valid: log in again, or load the page again")

// issue makes a ticket. The client identifier belongs to it and can be guessed by
// nobody, so no one can take the place of another's page, not even at a broker that
// sees one account only. It is of the 23 characters that every
// broker takes. [MQTT-3.1.3-5]
func (s *sessions) issue(x *session) (secret, client string, until time.Time) {
	secret, kept := newSecret()
	_, name := newSecret()
	t := &ticket{of: x, client: fmt.Sprintf("web-%x", name[:9]), until: time.Now().Add(ticketLife)}
	s.mu.Lock()
	defer s.mu.Unlock()
	var mine []mark
	first := kept
	for m, old := range s.tickets {
		switch {
		case time.Now().After(old.until):
			delete(s.tickets, m)
		case old.of == x:
			mine = append(mine, m)
			if f := s.tickets[first]; f == nil || old.until.Before(f.until) {
				first = m
			}
		}
	}
	if len(mine) >= maxTickets {
		delete(s.tickets, first)
	}
	s.tickets[kept] = t
	return secret, t.client, t.until
}

// redeem uses a ticket up. It is gone also when it is not valid here: who shows
// another session's has stolen it.
func (s *sessions) redeem(x *session, h *greeted) error {
	kept := mark(sha256.Sum256([]byte(h.password)))
	s.mu.Lock()
	t := s.tickets[kept]
	delete(s.tickets, kept)
	s.mu.Unlock()
	if t == nil || t.of != x || time.Now().After(t.until) || t.client != h.client || x.who.Name != h.user || x.ctx.Err() != nil {
		return errTicket
	}
	return nil
}

// giveTicket answers with what the page puts into its next CONNECT.
func (d *Dashboard) giveTicket(w http.ResponseWriter, r *http.Request) {
	v := visitorOf(r)
	if v.session == nil {
		refuse(w, http.StatusBadRequest, "a ticket is for who has logged in; you need none: connect to /mqtt as you came here")
		return
	}
	if d.opts.OwnRights && !v.operatesAll() {
		refuse(w, http.StatusForbidden, "before a broker elsewhere live pictures are for operators and admins of all cameras; others see stills")
		return
	}
	secret, client, until := d.sessions.issue(v.session)
	d.answer(w, struct {
		User     string `json:"user"`
		Password string `json:"password"`
		Client   string `json:"client"`
		Expires  string `json:"expires"`
	}{v.Name, secret, client, until.UTC().Format(time.RFC3339)})
}

// answer sends JSON that nobody keeps.
func (d *Dashboard) answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		d.opts.Log.Error("answer not written", "err", err)
		refuse(w, http.StatusInternalServerError, "the answer cannot be written; the log says more")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n'))
}

// admission reads the first packet of a browser that has logged in. It must be a
// CONNECT with a ticket, and is passed on without: the broker knows by
// [socket.Visitor] who it is, and one elsewhere has nothing to do with it.
type admission struct {
	redeem func(*greeted) error
	held   []byte
	pass   []byte // what Read has yet to yield
	done   bool
}

// read is [socket.Read] of a browser that has logged in.
func (s *socket) read(p []byte) (int, error) {
	a := s.admit
	for !a.done {
		buf := make([]byte, 4096)
		n, err := s.receive(buf)
		if err != nil {
			return 0, err
		}
		if err := a.take(buf[:n]); err != nil {
			s.CloseWith(websocket.ClosePolicyViolation, err.Error())
			s.err = err
			return 0, err
		}
	}
	s.admitted.Store(true)
	if len(a.pass) > 0 {
		n := copy(p, a.pass)
		a.pass = a.pass[n:]
		return n, nil
	}
	s.admit = nil
	return s.receive(p)
}

// take adds what has come. When the packet is whole and its ticket valid, it is done.
func (a *admission) take(b []byte) error {
	a.held = append(a.held, b...)
	head, n, ok := fixedHeader(a.held)
	switch {
	case !ok && len(a.held) < 5, ok && head+n <= maxIntroduction && len(a.held) < head+n:
		return nil
	case !ok || head+n > maxIntroduction:
		return errTicket
	}
	h, err := readConnect(a.held[head : head+n])
	if err != nil || a.held[0] != packetConnect<<4 {
		return errTicket
	}
	if err := a.redeem(h); err != nil {
		return err
	}
	a.pass = append(h.anonymous(), a.held[head+n:]...)
	a.held, a.done = nil, true
	return nil
}

// greeted is a CONNECT that was taken apart. MQTT 3.1.1 section 3.1, MQTT 5 section 3.1.
type greeted struct {
	client, user, password string

	body  []byte // after the fixed header
	flags int    // where they are
	login int    // where user name and password begin
}

// readConnect takes a CONNECT apart, of any version.
func readConnect(body []byte) (*greeted, error) {
	f := &fields{rest: body}
	protocol := f.bytes()
	version, flags := f.byte(), f.byte()
	h := &greeted{body: body, flags: 2 + len(protocol) + 1}
	f.skip(2) // keep alive
	if version >= 5 {
		f.properties()
	}
	h.client = string(f.bytes())
	if flags&0x04 != 0 { // a will
		if version >= 5 {
			f.properties()
		}
		f.bytes()
		f.bytes()
	}
	h.login = len(body) - len(f.rest)
	if flags&flagUser != 0 {
		h.user = string(f.bytes())
	}
	if flags&flagPassword != 0 {
		h.password = string(f.bytes())
	}
	if f.short || len(f.rest) > 0 {
		return nil, fmt.Errorf("%w: a CONNECT of %d bytes", errMalformed, len(body))
	}
	return h, nil
}

// anonymous is the packet without user name and password.
func (h *greeted) anonymous() []byte {
	out := appendRemaining([]byte{packetConnect << 4}, h.login)
	start := len(out)
	out = append(out, h.body[:h.login]...)
	out[start+h.flags] &^= flagUser | flagPassword
	return out
}

// fields reads one after the other. After a field that is not whole, short is set and
// all further ones are empty.
type fields struct {
	rest  []byte
	short bool
}

func (f *fields) skip(n int) []byte {
	if f.short || n > len(f.rest) {
		f.short = true
		return nil
	}
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) byte() byte {
	if b := f.skip(1); b != nil {
		return b[0]
	}
	return 0
}

// bytes reads what follows its length. MQTT 3.1.1 section 1.5.3.
func (f *fields) bytes() []byte {
	if n := f.skip(2); n != nil {
		return f.skip(int(binary.BigEndian.Uint16(n)))
	}
	return nil
}

// properties skips those of MQTT 5. Their length is a variable byte integer.
func (f *fields) properties() {
	n := 0
	for shift := 0; shift < 28; shift += 7 {
		b := f.byte()
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			f.skip(n)
			return
		}
	}
	f.short = true
}

// admission is that of a visitor who has logged in. Others the broker asks, or HTTP has
// asked with this very request.
func (d *Dashboard) admission(v visitor) *admission {
	return &admission{redeem: func(h *greeted) error { return d.sessions.redeem(v.session, h) }}
}
