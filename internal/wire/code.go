package wire

// Code says in one word how a command ended, and in state.error what is wrong
// with a camera.
type Code string

// The result codes of topics.md. NoCamera, CameraBusy, Stalled and Config are
// also the codes of state.error.
const (
	OK              Code = "ok"
	Busy            Code = "busy"             // too much was asked at once
	NoCamera        Code = "no_camera"        // the camera cannot be opened, or has ended
	CameraBusy      Code = "camera_busy"      // another program holds the camera
	Stalled         Code = "stalled"          // the camera is open but no picture comes
	Timeout         Code = "timeout"          // no fresh picture came in time
	TooLarge        Code = "too_large"        // the picture exceeds max_image_bytes
	UnknownCommand  Code = "unknown_command"  // the text says what would be right
	BadArgument     Code = "bad_argument"     // the text says what would be right
	Expired         Code = "expired"          // the command's ts is older than 30 s
	RetainedIgnored Code = "retained_ignored" // commands must not be retained
	Unsupported     Code = "unsupported"      // this camera cannot do that
	Privacy         Code = "privacy"          // privacy is on
	Config          Code = "config"           // the camera's configuration is wrong; only in state.error
)

// Codes returns every code that a result can carry, in the order of topics.md.
func Codes() []Code {
	return []Code{
		OK, Busy, NoCamera, CameraBusy, Stalled, Timeout, TooLarge, UnknownCommand,
		BadArgument, Expired, RetainedIgnored, Unsupported, Privacy,
	}
}
