package board

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Kind names a firmware, as in the option kind= of a camera's URL.
type Kind string

// The kinds.
const (
	// Generic is any camera that is none of the others: what the address gives is
	// all there is.
	Generic Kind = "generic"
	// CameraWebServer is the example of Espressif's Arduino core.
	CameraWebServer Kind = "camerawebserver"
	// Easytarget is esp32-cam-webserver, which grew out of the former.
	Easytarget Kind = "easytarget"
	// ESPHome is esp32_camera_web_server; a port gives either a stream or pictures.
	ESPHome Kind = "esphome"
	// Tasmota is Tasmota32 with the webcam driver.
	Tasmota Kind = "tasmota"
)

// Firmware is what is known of a kind before a board has answered.
type Firmware struct {
	Kind Kind
	// Name is what people call it.
	Name string
	// Capture is the path of single pictures on the board's own port; "" where
	// there is none, or where it depends on the board.
	Capture string
	// Stream is the path of the stream on the next port; "" as for Capture.
	Stream string
	// Controls: it has /status and /control.
	Controls bool
	// Depth is how many shots old a picture usually is that carries no time of its
	// own: pictures wait in the board's frame buffers.
	Depth int
}

// MaxDepth is the most pictures that wait in a board: the driver's frame buffers,
// of which configurations have at most 4.
const MaxDepth = 4

// Firmwares are all kinds but Generic.
func Firmwares() []Firmware {
	return []Firmware{
		{Kind: CameraWebServer, Name: "ESP32 CameraWebServer", Capture: "/capture", Stream: "/stream", Controls: true, Depth: 1},
		{Kind: Easytarget, Name: "esp32-cam-webserver", Capture: "/capture", Stream: "/", Controls: true, Depth: 1},
		{Kind: ESPHome, Name: "ESPHome", Depth: 1},
		// It throws away two pictures by itself where no stream keeps them fresh.
		{Kind: Tasmota, Name: "Tasmota", Capture: "/wc.jpg", Stream: "/cam.mjpeg"},
	}
}

// Of is the firmware of a kind; that of Generic knows nothing.
func Of(k Kind) Firmware {
	for _, f := range Firmwares() {
		if f.Kind == k {
			return f
		}
	}
	return Firmware{Kind: Generic, Name: "camera"}
}

// ParseKind reads a kind as people write it.
func ParseKind(s string) (Kind, bool) {
	k := Kind(strings.ToLower(s))
	return k, k == Generic || Of(k).Kind == k
}

// Kinds lists the names of all kinds.
func Kinds() (all []string) {
	for _, f := range Firmwares() {
		all = append(all, string(f.Kind))
	}
	return append(all, string(Generic))
}

// boundary is what the web servers that come from Espressif's example put between
// the pictures of a stream.
const boundary = "123456789000000000000987654321"

// FromAnswer tells the kind by the head of an answer with pictures in it, or of
// the one to "/". It is Generic where the head does not say.
func FromAnswer(h http.Header, http10 bool) Kind {
	stream := strings.Contains(h.Get("Content-Type"), boundary)
	shot := strings.Contains(h.Get("Content-Disposition"), "filename=capture.jpg")
	switch {
	case strings.HasPrefix(h.Get("Server"), "Tasmota/"), strings.Contains(h.Get("Content-Disposition"), "filename=cap.jpg"),
		strings.Contains(h.Get("Content-Type"), "e8b8c539-047d-4777-a985-fbba6edff11e"):
		return Tasmota
	case stream && http10:
		return ESPHome
	case stream && h.Get("X-Framerate") != "", shot && h.Get("X-Timestamp") != "":
		return CameraWebServer
	case stream:
		return Easytarget
	case shot && h.Get("Access-Control-Allow-Origin") == "":
		return ESPHome
	case shot:
		return Easytarget
	}
	return Generic
}

// Places are the addresses of one board.
type Places struct {
	// Capture gives one picture, Stream many; "" where there is none.
	Capture, Stream string
	// Root is where /status and /control are, without a path; "" for none.
	Root string
}

// PlacesOf is where a board has what, whose own address is root. What the board
// says of its stream is believed as far as port and path go: a board does not
// always know its own name, and must not send us to another machine.
func PlacesOf(f Firmware, root *url.URL, streamURL string) Places {
	var p Places
	base := url.URL{Scheme: root.Scheme, Host: root.Host}
	if f.Controls {
		p.Root = base.String()
	}
	if f.Capture != "" {
		base.Path = f.Capture
		p.Capture = base.String()
	}
	if f.Stream == "" {
		return p
	}
	next := url.URL{Scheme: root.Scheme, Host: hostPort(root.Hostname(), portOf(root)+1), Path: f.Stream}
	if u, err := url.Parse(streamURL); err == nil && u.Scheme == "http" && u.Host != "" {
		next = url.URL{Scheme: root.Scheme, Host: hostPort(root.Hostname(), portOf(u)), Path: u.Path, RawQuery: u.RawQuery}
	}
	if port := portOf(&next); port >= 1 && port <= 65535 {
		p.Stream = next.String()
	}
	return p
}

// RootOf is the board's own address when what is known is that of its pictures or
// of its stream, which is on the next port. Nil: the address is none of these.
func RootOf(k Kind, u *url.URL) *url.URL {
	f := Of(k)
	switch {
	case !f.Controls:
		return nil
	case u.Path == f.Capture:
		return &url.URL{Scheme: u.Scheme, Host: u.Host}
	case u.Path == f.Stream && portOf(u) > 1:
		return &url.URL{Scheme: u.Scheme, Host: hostPort(u.Hostname(), portOf(u)-1)}
	}
	return nil
}

func portOf(u *url.URL) int {
	if n, err := strconv.Atoi(u.Port()); err == nil {
		return n
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

func hostPort(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == 80 {
		return host
	}
	return host + ":" + strconv.Itoa(port)
}

// Control is the path that sets a variable.
func Control(name string, value int) string {
	return "/control?var=" + url.QueryEscape(name) + "&val=" + strconv.Itoa(value)
}

// lights are the variables of a lamp, each with its full brightness.
func lights() []light { return []light{{"led_intensity", 255}, {"lamp", 100}} }

type light struct {
	name string
	full int
}

func lightNamed(name string) light {
	all := lights()
	if i := slices.IndexFunc(all, func(l light) bool { return l.name == name }); i >= 0 {
		return all[i]
	}
	return light{}
}
