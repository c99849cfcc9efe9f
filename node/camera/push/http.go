package push

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"camqtt/internal/clientip"
)

const (
	// Room for what is not the picture in a form, in bytes.
	formRoom = 64 << 10
	// Parts of a form that are looked at.
	maxParts = 16
	// The field of the widely copied ESP32-CAM sketch.
	formField = "imageFile"
	// What that sketch leaves out when the length of a picture is a multiple of it.
	sketchBlock = 1024
)

// serve handles one HTTP request. The answer always has a body: sketches wait
// for one.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	conn, _ := r.Context().Value(connKey{}).(*unidentified)
	c := credentialsOf(r)
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		w.Header().Set("Allow", "POST, PUT")
		s.refuse(w, c, refusalf(http.StatusMethodNotAllowed, "this port takes pictures: POST or PUT a JPEG to /push/<id>"))
		return
	}
	cam, err := s.gate.admit(c)
	if cam != nil {
		c.id = cam.ID // perhaps known by its address alone
	}
	if err == nil {
		if conn != nil {
			conn.identified()
			defer conn.idle()
		}
		err = s.upload(w, r, cam, c.at)
		s.gate.leave(cam)
	}
	if err != nil {
		s.refuse(w, c, asRefusal(err))
		return
	}
	answer(w, http.StatusOK, "ok")
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// withConn notes the connection of the requests that come over it.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// credentialsOf reads what a request says of its board.
func credentialsOf(r *http.Request) credentials {
	c := credentials{at: time.Now(), token: headerToken(r.Header), from: address(r.RemoteAddr)}
	var inPath string
	if rest, ok := strings.CutPrefix(r.URL.Path, "/push/"); ok {
		c.id, inPath, _ = strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	}
	if c.token == "" {
		c.token = inPath
	}
	if c.token == "" {
		c.token = r.URL.Query().Get("token")
	}
	return c
}

// headerToken is the token of RFC 6750 section 2.1, or of X-Token.
func headerToken(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return strings.TrimSpace(h.Get("X-Token"))
}

// upload reads the picture of a request and hands it on.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, c *sender, at time.Time) error {
	if r.ContentLength > int64(s.opts.MaxBytes+formRoom) {
		return s.tooLarge()
	}
	body := &paced{
		in: http.MaxBytesReader(nil, r.Body, int64(s.opts.MaxBytes+formRoom)), silence: s.opts.Silence, end: at.Add(s.opts.Longest),
		deadline: http.NewResponseController(w).SetReadDeadline,
	}
	b, err := s.body(body, r.Header.Get("Content-Type"))
	if err != nil {
		return body.explain(err, r.ContentLength)
	}
	return s.deliver(r.Context(), c, b, at)
}

// deliver hands a picture on if it is one, and waits until it is taken.
func (s *Server) deliver(ctx context.Context, c *sender, b []byte, at time.Time) error {
	pic, err := one(b)
	if err != nil {
		return refusalf(http.StatusBadRequest, "not exactly one JPEG: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Silence)
	defer cancel()
	if err := c.Deliver(ctx, pic, at); err != nil {
		return err
	}
	s.opts.Log.Debug("picture pushed", "cam", c.ID, "bytes", len(pic))
	return nil
}

// body reads the picture out of a request's body: a form's, or all of it.
func (s *Server) body(r io.Reader, contentType string) ([]byte, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if !strings.HasPrefix(strings.ToLower(contentType), "multipart/") {
		return s.read(r)
	}
	if err != nil || params["boundary"] == "" {
		return nil, refusalf(http.StatusBadRequest, "%.40q: want a boundary, as in multipart/form-data; boundary=x", kind)
	}
	form := multipart.NewReader(r, params["boundary"])
	var seen []string
	for range maxParts {
		p, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if isPicture(p) {
			b, err := s.read(p)
			if err != nil {
				return nil, err
			}
			// The rest has to come as well: a board that is cut off in it would
			// take the answer for none.
			_, err = io.Copy(io.Discard, r)
			return b, err
		}
		seen = append(seen, fmt.Sprintf("%.20q", p.FormName()))
	}
	return nil, refusalf(http.StatusBadRequest, "no picture in the form, only %.100s: want a part named %s, or of type image/jpeg", strings.Join(seen, ", "), formField)
}

// isPicture reports whether a part of a form is the picture.
func isPicture(p *multipart.Part) bool {
	kind := strings.ToLower(p.Header.Get("Content-Type"))
	return p.FormName() == formField || p.FileName() != "" || strings.HasPrefix(kind, "image/jpeg") || strings.HasPrefix(kind, "image/jpg")
}

// read takes all there is, up to the limit.
func (s *Server) read(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(s.opts.MaxBytes)+1))
	if err == nil && len(b) > s.opts.MaxBytes {
		return nil, s.tooLarge()
	}
	return b, err
}

func (s *Server) tooLarge() error {
	return refusalf(http.StatusRequestEntityTooLarge, "larger than %d bytes: send a smaller picture, or raise push.max_bytes", s.opts.MaxBytes)
}

// paced is a body that may neither pause nor last too long.
type paced struct {
	in       io.Reader
	deadline func(time.Time) error
	silence  time.Duration
	end      time.Time
	got      int64
}

// Read reads, within the time there is.
func (p *paced) Read(b []byte) (int, error) {
	next := time.Now().Add(p.silence)
	if next.After(p.end) {
		next = p.end
	}
	if err := p.deadline(next); err != nil {
		return 0, err
	}
	n, err := p.in.Read(b)
	p.got += int64(n)
	return n, err
}

// explain says why a body did not come whole.
func (p *paced) explain(err error, want int64) error {
	var known *refusal
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &large):
		return refusalf(http.StatusRequestEntityTooLarge, "the form is larger than %d bytes", large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded) && want-p.got == sketchBlock:
		return refusalf(http.StatusRequestTimeout, "the last %d bytes never came: a known fault of a sketch that sends blocks of %d bytes and forgets the last when "+
			"the picture is a multiple of that; the next picture will come", sketchBlock, sketchBlock)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refusalf(http.StatusRequestTimeout, "took too long: %d bytes came of %s", p.got, length(want))
	}
	return refusalf(http.StatusBadRequest, "the body broke off or is no form: %d bytes came of %s", p.got, length(want))
}

// length is a Content-Length for people.
func length(n int64) string {
	if n < 0 {
		return "an unknown number"
	}
	return fmt.Sprint(n)
}

// refuse answers that a picture is not taken, and ends the connection once the
// board has had the time to read why.
func (s *Server) refuse(w http.ResponseWriter, c credentials, r *refusal) {
	s.tell(c, r)
	w.Header().Set("Connection", "close")
	if r.status == http.StatusServiceUnavailable || r.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	// What still comes of the body is thrown away by net/http, for so long.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.opts.Silence)) // else ReadTimeout holds
	answer(w, r.status, r.text)
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // who does not read it does not want it
}

// tell counts a refusal, and writes it into the log: of one board and reason not more
// often than once a minute.
func (s *Server) tell(c credentials, r *refusal) {
	id := s.gate.known(c.id)
	if s.refusals.count(subject{id, r.reason, clientip.Group(c.from)}, c.at) {
		s.opts.Log.Warn("pushed picture not taken", "cam", cmp.Or(id, "unknown"), "from", c.from.String(), "reason", r.reason, "err", r.text)
	}
}

// evict ends a connection that has to make room for another.
func (s *Server) evict(c *unidentified) {
	s.tell(credentials{from: c.addr, at: time.Now()}, errIdle)
	if s.opts.TLS == nil { // else only a handshake could say it
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n",
			errIdle.status, http.StatusText(errIdle.status), len(errIdle.text)+1, errIdle.text)
	}
	_ = c.Close()
}
