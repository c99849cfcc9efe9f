package homeassistant

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"camqtt/internal/wire"
)

// Mode is how cameras are described to Home Assistant.
type Mode string

// The modes of discovery. A change from one to another begins with [Migrate], or
// Home Assistant refuses the new messages.
const (
	// Device is one retained message per camera, read since Home Assistant
	// 2024.11.
	Device Mode = "device"
	// Component is one retained message per entity: for older Home Assistants
	// and for other programs that read its discovery, such as openHAB.
	Component Mode = "component"
	// Off describes nothing.
	Off Mode = "off"
)

// DefaultPrefix is where Home Assistant looks for discovery unless configured
// otherwise.
const DefaultPrefix = "homeassistant"

const maxPrefix = 100 // of the discovery prefix, in bytes

// Options says how cameras are described. The zero value is ready to use.
type Options struct {
	Mode   Mode      // "" is Device
	Prefix string    // of every discovery topic; "" is DefaultPrefix
	Base   wire.Base // of the cameras' topics; "" is wire.DefaultBase
	// URL is the address of the dashboard, http or https, to which "/#<id>" is
	// added for the link on a camera's device page; "" gives no link.
	URL     string
	Version string // of the program that writes the description; "" says none
	// Hub says that the cameras are reached through a hub, described by
	// [Options.HubDevice].
	Hub bool
}

// Check reports what is wrong with the options. The other methods can be used
// without it; those that can fail then fail with the same error.
func (o Options) Check() error {
	switch o.mode() {
	case Device, Component, Off:
	default:
		return fmt.Errorf("home assistant discovery %.40q: want device, component or off", o.Mode)
	}
	if err := checkPrefix(o.prefix()); err != nil {
		return err
	}
	if _, err := wire.ParseBase(string(o.Base)); err != nil {
		return err
	}
	// Pictures and states below the prefix would be read as discovery, and the
	// birth message below the base as that of a camera.
	if base := o.base(); within(base, o.prefix()) || within(o.prefix(), base) {
		return fmt.Errorf("home assistant prefix %q and base %q: want neither below the other", o.prefix(), base)
	}
	if _, err := o.dashboard(); err != nil {
		return err
	}
	return nil
}

// BirthTopic returns the topic on which Home Assistant says "online" when it
// has started and wants to hear the description again, and "offline".
func (o Options) BirthTopic() string { return o.prefix() + "/status" }

func (o Options) mode() Mode {
	if o.Mode == "" {
		return Device
	}
	return o.Mode
}

func (o Options) prefix() string {
	if o.Prefix == "" {
		return DefaultPrefix
	}
	return o.Prefix
}

func (o Options) base() string {
	if o.Base == "" {
		return wire.DefaultBase
	}
	return string(o.Base)
}

// dashboard returns the URL without trailing slashes. Home Assistant refuses a
// whole device for a link that is not http or https.
func (o Options) dashboard() (string, error) {
	if o.URL == "" {
		return "", nil
	}
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return "", fmt.Errorf("dashboard url %.100q: want such as http://192.168.1.10:8080", o.URL)
	case u.User != nil: // it would be shown to everybody, and kept by the broker
		return "", fmt.Errorf("dashboard url of %s: want one without user and password", u.Host)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(o.URL, "#"):
		return "", fmt.Errorf("dashboard url %.100q: want one without ? and #", o.URL)
	}
	return strings.TrimRight(o.URL, "/"), nil
}

// within reports whether topic a is topic b or below it.
func within(a, b string) bool { return a == b || strings.HasPrefix(a, b+"/") }

func checkPrefix(s string) error {
	const want = "want a topic such as homeassistant, without blanks, + # and empty levels"
	if len(s) > maxPrefix {
		return fmt.Errorf("home assistant prefix has %d characters: want at most %d", len(s), maxPrefix)
	}
	// A client may not publish below "$" [MQTT-4.7.2-1].
	if !utf8.ValidString(s) || strings.HasPrefix(s, "$") || strings.ContainsFunc(s, func(r rune) bool {
		return r == '+' || r == '#' || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}) {
		return fmt.Errorf("home assistant prefix %q: %s", s, want)
	}
	for level := range strings.SplitSeq(s, "/") {
		if level == "" {
			return fmt.Errorf("home assistant prefix %q: %s", s, want)
		}
	}
	return nil
}
