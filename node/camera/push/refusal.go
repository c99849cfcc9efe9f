package push

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"camqtt/node/camera"
)

// refusal is why a picture is not taken.
type refusal struct {
	status int    // of HTTP
	reason string // one of the reasons below, for the counter
	text   string // what the board is told
}

// Error is the text.
func (r *refusal) Error() string { return r.text }

// The reasons of refusals, as counted.
const (
	reasonCredentials = "credentials" // no camera of that id, wrong token or address
	reasonGuesses     = "guesses"     // the same, too often from one address
	reasonRate        = "rate"        // more pictures than a camera sends
	reasonConnections = "connections" // too many connections or uploads at once
	reasonRequest     = "request"     // not exactly one JPEG, or it did not come whole
	reasonDamaged     = "damaged"
	reasonTooLarge    = "too_large"
	reasonBusy        = "busy"   // pictures come faster than they can be sent on
	reasonClosed      = "closed" // privacy is on, or the node is not running
)

// Reasons are the reasons for which pictures are refused, as in [Refused].
func Reasons() []string {
	return []string{
		reasonCredentials, reasonGuesses, reasonRate, reasonConnections, reasonRequest,
		reasonDamaged, reasonTooLarge, reasonBusy, reasonClosed,
	}
}

// What boards are told is the same whether a camera is not known, a token is wrong,
// or an address is.
var (
	errRefused     = &refusal{http.StatusForbidden, reasonCredentials, "refused: want the camera's id with its token, or its address"}
	errGuesses     = &refusal{http.StatusTooManyRequests, reasonGuesses, "refused too often from this address: want the camera's id with its token, or its address"}
	errTooOften    = &refusal{http.StatusTooManyRequests, reasonRate, fmt.Sprintf("too many pictures: want at most %d a second", pictureRate)}
	errIdle        = &refusal{http.StatusServiceUnavailable, reasonConnections, "too many connections wait to be identified: send the request as soon as the connection is open, or raise push.connections_per_address"}
	errTLS         = &refusal{http.StatusBadRequest, reasonRequest, "TLS was spoken to a plain port: use http://, or set push.tls.cert"}
	errConnections = &refusal{http.StatusServiceUnavailable, reasonConnections, "too many pictures come in at once: send again later, or raise push.connections"}
)

func refusalf(status int, format string, a ...any) *refusal {
	r := &refusal{status: status, reason: reasonRequest, text: fmt.Sprintf(format, a...)}
	if status == http.StatusRequestEntityTooLarge {
		r.reason = reasonTooLarge
	}
	return r
}

// asRefusal is an error as a refusal: what a camera says of a picture with its status.
func asRefusal(err error) *refusal {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, camera.ErrDamaged):
		return &refusal{http.StatusBadRequest, reasonDamaged, err.Error()}
	case errors.Is(err, camera.ErrTooLarge):
		return &refusal{http.StatusRequestEntityTooLarge, reasonTooLarge, err.Error()}
	case errors.Is(err, camera.ErrBusy):
		return &refusal{http.StatusServiceUnavailable, reasonBusy, err.Error() + ": send again later"}
	}
	return &refusal{http.StatusServiceUnavailable, reasonClosed, err.Error()}
}

// Refused is how often pictures of one camera were refused for one reason.
type Refused struct {
	Camera string // its id; "" is a board that named no camera there is
	Reason string // a word, such as "credentials" or "damaged"
	Count  uint64
}

// refusals counts what is refused, and decides what is worth a line in the log.
type refusals struct {
	mu     sync.Mutex
	counts map[Refused]uint64 // by Camera and Reason
	said   map[subject]time.Time
}

// subject is a board with what is wrong, as the log tells them apart.
type subject struct {
	camera, reason string
	from           netip.Addr
}

func newRefusals() *refusals {
	return &refusals{counts: map[Refused]uint64{}, said: map[subject]time.Time{}}
}

// count counts a refusal. It reports whether that is worth a line in the log: for one
// camera, address and reason at most once in sayEvery.
func (r *refusals) count(s subject, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[Refused{Camera: s.camera, Reason: s.reason}]++
	last, known := r.said[s]
	if known && now.Sub(last) < sayEvery {
		return false
	}
	if !known && len(r.said) >= maxAddresses {
		r.forget(now)
	}
	r.said[s] = now
	return true
}

// forget makes room: of what was said a while ago, else of anything.
func (r *refusals) forget(now time.Time) {
	for s, at := range r.said {
		if now.Sub(at) >= sayEvery {
			delete(r.said, s)
		}
	}
	for s := range r.said { // a quarter at once, so that it is seldom
		if len(r.said) < maxAddresses*3/4 {
			return
		}
		delete(r.said, s)
	}
}

// list returns the counts, ordered.
func (r *refusals) list() []Refused {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Refused, 0, len(r.counts))
	for k, n := range r.counts {
		k.Count = n
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b Refused) int {
		return strings.Compare(a.Camera+" "+a.Reason, b.Camera+" "+b.Reason)
	})
	return all
}
