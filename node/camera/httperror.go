package camera

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"camqtt/internal/cert"
)

const (
	refusalBody    = 512 // bytes of a refusal that are read
	refusalTimeout = 2 * time.Second
)

// requestError says why there was no answer.
func (v *visit) requestError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	inner := err
	if e, ok := errors.AsType[*url.Error](err); ok {
		inner = e.Err // without the address, which is said anyway, and less safely there
	}
	e := &Error{Code: NoCamera, Text: fmt.Sprintf("connect to camera %s: %s", v.name(), v.redact.line(inner.Error())), Err: err}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(bad.UnverifiedCertificates) > 0 {
		e.Code = Config
		e.Text = fmt.Sprintf("camera %s: its certificate is not trusted: %s: compare with the camera's own page that its key is %s, then write that behind the source as #pin=%[3]s, or name its authority by #ca=/path.pem",
			v.name(), v.redact.line(bad.Err.Error()), cert.PinOf(bad.UnverifiedCertificates[0]))
		return e
	}
	if other, ok := errors.AsType[*pinError](err); ok {
		e.Code = Config
		e.Text = fmt.Sprintf("camera %s: its key is %s, not the one that pin= says: somebody may be in between, or the camera has a new certificate", v.name(), other.got)
		return e
	}
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		e.Code = Config
		e.Text = fmt.Sprintf("camera %s does not speak https: want http://", v.name())
	case isHeaderTimeout(inner):
		e.Code = CameraBusy
		// Several firmwares serve one viewer and let the others wait unanswered.
		e.Text = fmt.Sprintf("camera %s accepts the connection but does not answer within %s: it may be already in use, somebody else watching it", v.name(), headerTimeout)
		if v.oneShot() {
			e.Code = Stalled
			e.Text = fmt.Sprintf("camera %s accepts the connection but does not answer within %s: it hangs, or has no line left", v.name(), headerTimeout)
		}
	}
	return e
}

// oneShot says whether what was asked last is never held by a single viewer.
func (v *visit) oneShot() bool {
	f := v.facts()
	return f.answer == snapshotAnswer || f.places.Capture != "" && v.at == f.places.Capture ||
		f.places.Root != "" && strings.HasPrefix(v.at, f.places.Root+"/") && v.at != f.places.Stream
}

// isHeaderTimeout recognises the one time-out of http.Transport that comes after
// a connection was made; it has no exported value.
func isHeaderTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout() && strings.Contains(err.Error(), "awaiting response headers")
}

// refusal says what is wrong with an answer, or nil when it should have pictures.
func (v *visit) refusal(res *http.Response) error {
	kind := mediaType(res)
	if res.StatusCode == http.StatusOK && (isMotion(res) || isPicture(kind)) {
		return nil
	}
	said := ""
	if strings.HasPrefix(kind, "text/plain") || kind == "" {
		said = v.said(res)
	}
	text := fmt.Sprintf("camera %s answers %s", v.name(), v.redact.line(res.Status))
	if said != "" {
		text += " (" + said + ")"
	}
	busy := strings.Contains(strings.ToLower(said), "already in use")
	switch code := res.StatusCode; {
	case busy, code == http.StatusServiceUnavailable, code == http.StatusTooManyRequests, code == http.StatusLocked:
		return &Error{Code: CameraBusy, Text: text + ": somebody else is using it"}
	case code == http.StatusUnauthorized && v.user == nil:
		return configError("%s: it wants a user and a password: http://user:password@host/path", text)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return configError("%s: it refuses this user and password, or this user may not see it", text)
	case code >= 300 && code < 400:
		return configError("%s: it sends us on to %s, which is not followed: give that address itself if it is right",
			text, v.redact.line(res.Header.Get("Location")))
	case code == http.StatusInternalServerError:
		return &Error{Code: Stalled, Text: text + ": it is there, but could not take a picture"}
	case code >= 500:
		return &Error{Code: NoCamera, Text: text}
	case code >= 400:
		return configError("%s: want an address that gives pictures", text)
	case code != http.StatusOK:
		return &Error{Code: NoCamera, Text: text + ": want 200 and a picture"}
	}
	if kind == "" {
		kind = "no Content-Type"
	}
	return configError("camera %s answers with %s: want the address of its stream (multipart/x-mixed-replace) or of a picture (image/jpeg), "+
		"not of its web page; an ESP32 board is found by its host alone, http://host/", v.name(), v.redact.line(kind))
}

// isPicture allows what cameras call a JPEG.
func isPicture(kind string) bool {
	return kind == "image/jpeg" || kind == "image/jpg" || kind == "image/pjpeg" || kind == "image/x-jpeg"
}

// said is the beginning of what a refusal says in plain text.
func (v *visit) said(res *http.Response) string {
	timer := time.AfterFunc(refusalTimeout, func() { res.Body.Close() })
	defer timer.Stop()
	b, _ := io.ReadAll(io.LimitReader(res.Body, refusalBody)) // what there is will do
	return v.redact.line(string(b))
}
