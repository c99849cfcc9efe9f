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
	if _, bad := errors.AsType[*tls.CertificateVerificationError](err); bad {
		e.Code = Config
		return e
	}
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		e.Code = Config
		e.Text = fmt.Sprintf("camera %s does not speak https: want http://", v.name())
	case isHeaderTimeout(inner):
		// Several firmwares serve one viewer and let the others wait unanswered.
		e.Code = CameraBusy
		e.Text = fmt.Sprintf("camera %s accepts the connection but does not answer within %s: somebody else may be watching it", v.name(), headerTimeout)
	}
	return e
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
		"not of its web page; ESP32 boards have them at http://host:81/stream and http://host/capture", v.name(), v.redact.line(kind))
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
