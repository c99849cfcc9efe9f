package camera

import (
	"errors"
	"fmt"
)

// Code says in one word why a camera does not deliver. topics.md: codes of
// result and of state.error.
type Code string

// The codes.
const (
	// NoCamera: it is not there, or went away. It may come back.
	NoCamera Code = "no_camera"
	// CameraBusy: it is there, and another program has it.
	CameraBusy Code = "camera_busy"
	// Stalled: it is open and has stopped delivering, or delivers broken pictures
	// only. That nothing comes sources may leave to their caller to find out.
	Stalled Code = "stalled"
	// Config: it cannot work before the configuration is changed.
	Config Code = "config"
)

// Error is why a Stream ended by itself.
type Error struct {
	Code Code
	// Text is a sentence for people, without passwords and control characters.
	Text string
	// Denied means that the camera refuses the user or the password. Cameras lock an
	// account after several tries.
	Denied bool
	// Err is the cause, or nil. Its text may hold what Text leaves out.
	Err error
}

// Error is the text.
func (e *Error) Error() string { return e.Text }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf is the code of the first *Error in err's chain; NoCamera when there is
// none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Code != "" {
		return e.Code
	}
	return NoCamera
}

// ConfigError is an error with the code Config.
func ConfigError(format string, a ...any) *Error {
	return &Error{Code: Config, Text: fmt.Sprintf(format, a...)}
}

// Why a picture that a board sent is not taken. An error that wraps one of them
// may say more.
var (
	ErrClosed   = errors.New("pictures are not taken now: privacy is on, or the camera's node is not running or starts anew")
	ErrBusy     = errors.New("pictures come faster than they can be sent on")
	ErrTooLarge = errors.New("the picture is too large")
	ErrDamaged  = errors.New("the picture is damaged")
)
