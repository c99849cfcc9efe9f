package httpcam

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"camqtt/internal/cert"
	"camqtt/node/camera"
)

const (
	refusalBody = 2 << 10 // bytes of a refusal that are read
)

// requestError says why there was no answer.
func (v *visit) requestError(err error) *camera.Error {
	if e, ok := errors.AsType[*camera.Error](err); ok {
		return e
	}
	inner := err
	if e, ok := errors.AsType[*url.Error](err); ok {
		inner = e.Err // without the address, which is said anyway, and less safely there
	}
	e := &camera.Error{Code: camera.NoCamera, Text: fmt.Sprintf("connect to camera %s: %s", v.name(), v.redact.Line(inner.Error())), Err: err}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(bad.UnverifiedCertificates) > 0 {
		e.Code = camera.Config
		e.Text = fmt.Sprintf("camera %s: its certificate is not trusted: %s: compare with the camera's own page that its key is %s, then write that behind the https:// address as #pin=%[3]s, or name its authority by #ca=/path.pem",
			v.name(), v.redact.Line(bad.Err.Error()), cert.PinOf(bad.UnverifiedCertificates[0]))
		return e
	}
	if other, ok := errors.AsType[*pinError](err); ok {
		e.Code = camera.Config
		e.Text = fmt.Sprintf("camera %s: its key is %s, not the one that pin= says: somebody may be in between, or the camera has a new certificate", v.name(), other.got)
		return e
	}
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		e.Code = camera.Config
		e.Text = fmt.Sprintf("camera %s does not speak https: want http://", v.name())
	case isOldTLS(err) && !v.option.legacy && v.option.pin == nil:
		e.Code = camera.Config
		e.Text = fmt.Sprintf("camera %s speaks only TLS that is not safe any more (%s): write #tls=legacy behind the https:// address to allow it, better with pin=",
			v.name(), v.redact.Line(inner.Error()))
	}
	return e
}

// isOldTLS recognises that there is no version or cipher suite that both sides have.
func isOldTLS(err error) bool {
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		const handshakeFailure, protocolVersion, insufficientSecurity = 40, 70, 71 // RFC 8446, 6.2
		return alert == handshakeFailure || alert == protocolVersion || alert == insufficientSecurity
	}
	text := err.Error() // of crypto/tls, which exports no other errors for these
	return strings.Contains(text, "tls: handshake failure") || strings.Contains(text, "tls: protocol version not supported") ||
		strings.Contains(text, "tls: server selected unsupported protocol version")
}

// unanswered says that a camera was connected and sent no answer in time.
func (v *visit) unanswered(after time.Duration) *camera.Error {
	return &camera.Error{Code: camera.Stalled, Text: fmt.Sprintf("camera %s took the request and did not answer within %s: set timeout= behind the # of the source if it needs longer",
		v.name(), after)}
}

// refusal says what is wrong with an answer, or nil when it has pictures, and then
// the answer says which kind.
func (v *visit) refusal(a *answer) error {
	if a.StatusCode/100 == 2 && a.StatusCode != http.StatusNoContent {
		if a.is = a.content(v.bodyPatience()); a.is != noPicture {
			return nil
		}
	}
	kind, said := a.said(v.redact.Line)
	text := fmt.Sprintf("camera %s answers", v.name())
	if a.StatusCode != http.StatusOK {
		text += " " + v.redact.Line(a.Status)
	}
	if said != "" {
		text += " and says: " + said
	}
	busy := strings.Contains(strings.ToLower(said), "already in use")
	switch code := a.StatusCode; {
	case busy, code == http.StatusServiceUnavailable, code == http.StatusTooManyRequests, code == http.StatusLocked:
		return &camera.Error{Code: camera.CameraBusy, Text: text}
	case code == http.StatusUnauthorized && v.login.user == nil:
		return &camera.Error{Code: camera.Config, Denied: true, Text: text + ": it wants a user and a password: http://user:password@host/path"}
	case code == http.StatusUnauthorized && v.login.strange():
		return &camera.Error{Code: camera.Config, Denied: true, Text: text + ": it wants a login of a kind that is not known here, so no password was sent: want Basic or Digest"}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return &camera.Error{Code: camera.Config, Denied: true, Text: text + ": it refuses this user and password, or this user may not see it"}
	case code >= 300 && code < 400:
		return camera.ConfigError("%s: it sends us on to %s, which is not followed: give that address itself if it is right",
			text, v.redact.Line(a.Header.Get("Location")))
	case code == http.StatusInternalServerError:
		return &camera.Error{Code: camera.Stalled, Text: text}
	case code >= 500, code >= 400 && said != "":
		return &camera.Error{Code: camera.NoCamera, Text: text}
	case code >= 400:
		return camera.ConfigError("%s: want an address that gives pictures", text)
	case said != "":
		return &camera.Error{Code: camera.NoCamera, Text: text + ": want a picture"}
	case code != http.StatusOK:
		return &camera.Error{Code: camera.NoCamera, Text: text + ": want 200 and a picture"}
	case a.got.Bytes() == 0:
		return &camera.Error{Code: camera.Stalled, Text: text + " without a byte of a picture"}
	}
	return camera.ConfigError("%s with %s: want the address of its stream (multipart/x-mixed-replace) or of a picture (image/jpeg), "+
		"not of its web page; an ESP32 board is found by its host alone, http://host/", text, v.redact.Line(kind))
}

// isPicture allows what cameras call a JPEG.
func isPicture(kind string) bool {
	return kind == "image/jpeg" || kind == "image/jpg" || kind == "image/pjpeg" || kind == "image/x-jpeg"
}
