// Package httpcam is the kind of cameras with a web address: ESP32 boards and IP cameras.
package httpcam

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
	"camqtt/node/camera/mjpeg"
	"camqtt/node/camera/sourceurl"
)

const (
	dialTimeout   = 5 * time.Second // unless timeout= is longer
	dialAgain     = 2 * time.Second
	answerTimeout = 20 * time.Second // unless timeout= says otherwise: cameras with a battery wake up first
	boardTimeout  = 5 * time.Second  // for what a board answers at once or never
	idleTimeout   = 5 * time.Second  // without a byte of a picture that has begun
	bodyTimeout   = 20 * time.Second // for one snapshot
	boardFirst    = 20 * time.Second // a board is found out, set and rid of old pictures first
	maxHeader     = 32 << 10         // bytes of an answer's head

	snapshotFPS  = 1
	slowest      = 1.0                    // a rate that is better served by single pictures
	stillEvery   = 200 * time.Millisecond // between single pictures for snaps
	instead      = 5.0                    // most pictures per second where a stream cannot be had
	brokenInARow = 5                      // snapshots that may be broken before the camera is given up
	maxRedirects = 5
)

// httpSource is a camera with a web address: an endless multipart stream, a
// picture per request, or, when the address is only a host, whatever the first
// answers tell. Options of ours stand behind a # and never go to the server.
type httpSource struct {
	mjpeg.StatusReport
	url    *url.URL // without user, password and fragment
	login  login
	option httpOption
	bare   bool              // the address is only a host: what is there has to be found out
	base   http.RoundTripper // nil: one of its own for each Stream
	max    int
	host   string // shown where it is found; "" where that may be part of a password
	redact redact.Redactor
	log    *slog.Logger

	reached atomic.Bool // it has answered before

	mu   sync.Mutex
	fact facts
}

// facts are what the answers so far have told.
type facts struct {
	answer answerKind
	kind   board.Kind
	places board.Places
	asked  bool // for the status
	status *board.Status
	home   *board.Status // the first status: what the board does without a request
	moved  bool          // the board does something else than at home
	number board.Numbers
	sizes  []camera.Size // that number offers; nil: to be made out again
	clock  board.Clock
	depth  int       // how many pictures wait in a board whose pictures have stamps; 0: not known
	used   time.Time // when the last of these came
	stream bool      // is open
	// unmeasured: the camera has stated a length that was wrong.
	unmeasured bool
	warn       string
}

// answerKind is what an address gives.
type answerKind int

const (
	unknownAnswer answerKind = iota
	streamAnswer
	snapshotAnswer
	boardAnswer // a board's page: stream and pictures are elsewhere
)

// HTTP is the row of the table of kinds.
func HTTP() camera.Kind {
	return camera.Kind{
		Scheme: "http", Form: "http://host/path",
		Summary: "an ESP32 board, or an address that answers with JPEG or MJPEG",
		Options: []string{"kind", "discard", "pin", "ca", "tls"}, Timeout: answerTimeout,
		Check: camera.CheckAuto, Login: true, Open: openHTTP,
	}
}

// HTTPS is the row of the table of kinds.
func HTTPS() camera.Kind {
	return camera.Kind{
		Scheme: "https", Form: "https://host/path",
		Summary: "the same by TLS",
		Options: []string{"kind", "discard", "pin", "ca", "tls"}, Timeout: answerTimeout,
		Check: camera.CheckAuto, Login: true, Open: openHTTPS,
	}
}

func openHTTP(rest string, o camera.Options) (camera.Source, error) {
	return asSource(openURL("http:"+rest, o))
}

func openHTTPS(rest string, o camera.Options) (camera.Source, error) {
	return asSource(openURL("https:"+rest, o))
}

func asSource(s *httpSource, err error) (camera.Source, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func openURL(source string, o camera.Options) (*httpSource, error) {
	show := redact.Line(redact.Address(source))
	u, err := sourceurl.ParseAddress(source)
	if err != nil {
		// The parser's own text repeats the source, password and all.
		return nil, camera.ConfigError("source %s: not a URL: want http://user:password@host:port/path; %s", show, sourceurl.PasswordForms)
	}
	if u.Hostname() == "" {
		return nil, camera.ConfigError("source %s: no host: want %s://host/path", show, u.Scheme)
	}
	if strings.Contains(source, redact.Mask) {
		return nil, camera.ConfigError("source %s: *** stands for something secret that was hidden: want the password or value itself", show)
	}
	if o.User != "" {
		if u.User != nil {
			return nil, camera.ConfigError("source %s: a user in the address as well as in user: want one of them", show)
		}
		u.User = url.UserPassword(o.User, o.Password)
	}
	s := &httpSource{login: login{user: u.User}, max: o.MaxPicture, redact: redact.New(source, o.Password), log: o.Log}
	if strings.Contains(redact.Address(source), u.Host) {
		s.host = u.Host
	}
	if s.option, err = parseHTTPOption(u); err != nil {
		return nil, camera.ConfigError("source %s: %s", show, s.redact.Line(err.Error()))
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	s.url = u
	s.bare = (u.Path == "" || u.Path == "/") && u.RawQuery == "" && !u.ForceQuery &&
		s.option.kind != board.Generic && s.option.kind != board.ESPHome
	if o.HTTPClient != nil {
		if s.base = o.HTTPClient.Transport; s.base == nil {
			s.base = http.DefaultTransport
		}
	}
	s.begin()
	return s, nil
}

// timeout is how long an answer is waited for.
func (s *httpSource) timeout() time.Duration { return cmp.Or(s.option.timeout, answerTimeout) }

// dialTime is how long a connection may take. A camera that has been reached before
// is near: one that is away is tried anew soon, and not by the ever rarer packets of
// the first attempt.
func (s *httpSource) dialTime() time.Duration {
	switch {
	case s.option.timeout > 0:
		return max(dialTimeout, s.option.timeout)
	case s.reached.Load():
		return dialAgain
	}
	return dialTimeout
}

// begin forgets what was learnt: what remains is what the owner has said.
func (s *httpSource) begin() {
	s.know(func(f *facts) {
		*f = facts{kind: s.option.kind, clock: f.clock, home: f.home}
		if fw := board.Of(f.kind); s.bare && fw.Capture != "" {
			f.answer, f.places = boardAnswer, board.PlacesOf(fw, s.url, "")
		}
	})
}

// know reads or changes the facts.
func (s *httpSource) know(do func(*facts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(&s.fact)
}

// facts is a copy to read from.
func (s *httpSource) facts() (f facts) {
	s.know(func(now *facts) { f = *now })
	return f
}

// Profile goes by the answers so far. Before the first, the source claims what it
// might turn out to obey, so that the first picture is already as asked.
func (s *httpSource) Profile() camera.Profile {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.fact
	p := camera.Profile{Kind: "http", Model: "HTTP camera", Warning: f.warn}
	if fw := board.Of(f.kind); fw.Kind != board.Generic {
		p.Model = fw.Name
	}
	switch {
	case f.answer == unknownAnswer && s.bare:
		p.Caps = []string{camera.CapSize, camera.CapFPS, camera.CapQuality, camera.CapStill}
	case f.answer == unknownAnswer:
		p.Caps = []string{camera.CapFPS}
	case f.answer == snapshotAnswer:
		p.Caps, p.Instant = []string{camera.CapFPS}, true
	case f.answer == boardAnswer:
		// A board has one place for viewers: it is left as soon as the last viewer has gone.
		p.Caps, p.Instant = []string{camera.CapStill}, true
		if !f.stream { // which is as fast as the board can, whatever is asked
			p.Caps = append(p.Caps, camera.CapFPS)
		}
	}
	if st := f.status; st != nil {
		p.Caps = append(p.Caps, camera.CapSize, camera.CapQuality)
		if st.Light != "" {
			p.Caps = append(p.Caps, camera.CapFlash)
		}
		if st.Sensor != "" {
			p.Model += " " + st.Sensor
		}
		if f.sizes == nil { // asked for with every picture: not made afresh each time
			for _, size := range f.number.Offered(st.Sensor) {
				f.sizes = append(f.sizes, camera.Size(size))
			}
		}
		p.Sizes = f.sizes
	} else if f.answer == boardAnswer && !f.asked && board.Of(f.kind).Controls {
		p.Caps = append(p.Caps, camera.CapSize, camera.CapQuality)
	}
	p.FirstFrame = s.timeout() + idleTimeout
	if s.bare || f.status != nil {
		p.FirstFrame = max(p.FirstFrame, boardFirst)
	}
	slices.Sort(p.Caps)
	return p
}

// Stream goes by what the address gives. The parts of a multipart answer are the
// pictures; a JPEG is the first of pictures asked for at Mode.FPS, 1 if that is 0,
// one request at a time. Where the address is that of a board, single pictures are
// asked for while Mode.Still or where one a second is enough, so that the board's
// one stream stays free for others.
func (s *httpSource) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	if err := m.Check(); err != nil {
		return err
	}
	v, done := s.visit(ctx, emit)
	defer done()
	err := v.run(ctx, m)
	s.know(func(f *facts) { f.stream = false })
	if err == nil || ctx.Err() != nil {
		return nil
	}
	if camera.CodeOf(err) == camera.Config { // it may have another firmware now
		s.begin()
	}
	return err
}

// visit begins one; done ends every connection of it.
func (s *httpSource) visit(ctx context.Context, emit func(camera.Frame)) (v *visit, done func()) {
	base, end := s.base, func() {}
	if base == nil {
		d := newDialer(s.dialTime())
		d.unmeasured = func() bool { return s.facts().unmeasured }
		base, end = d.transport(s.option.tls()), d.close
	}
	auth := &authTransport{base: base, login: &s.login}
	v = &visit{httpSource: s, client: &http.Client{Transport: auth, CheckRedirect: sameHost}, emit: emit, began: time.Now(), at: s.url.String()}
	return v, func() {
		v.client.CloseIdleConnections()
		end()
	}
}

// sameHost keeps a redirect from carrying a password, or the camera's place in
// the network, elsewhere.
func sameHost(req *http.Request, via []*http.Request) error {
	from := via[len(via)-1].URL
	if req.URL.Hostname() != from.Hostname() || from.Scheme == "https" && req.URL.Scheme != "https" || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}
