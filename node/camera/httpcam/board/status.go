package board

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Status is what /status says, as far as it matters here.
type Status struct {
	// FrameSize is the number of the picture size now; what it stands for depends
	// on the firmware's release.
	FrameSize int
	// Quality is 0 (best) to 63.
	Quality int
	// Light is the variable that sets the lamp; "" where there is none.
	Light string
	// LightValue is what Light is set to, in its own measure.
	LightValue int
	// AutoLight: the lamp is lit only while pictures are taken, if the variable
	// autolamp is set; it is nil where there is no such variable.
	AutoLight *int
	// StreamURL is where the board says its stream is; "" when it does not.
	StreamURL string
	// Name is what its owner calls it.
	Name string
	// Sensor is the image sensor, where its registers give it away.
	Sensor string
	// Kind is CameraWebServer or Easytarget.
	Kind Kind
}

// MaxStatus is the most that /status says, in bytes: the firmwares have buffers
// of 1024.
const MaxStatus = 8 << 10

// ParseStatus reads what /status answers. The error says that it is not a
// board's status.
func ParseStatus(b []byte) (Status, error) {
	if len(b) > MaxStatus {
		return Status{}, fmt.Errorf("status of %d bytes: want at most %d", len(b), MaxStatus)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		return Status{}, fmt.Errorf("status is no JSON object: %w", err)
	}
	size, okSize := whole(fields["framesize"])
	quality, okQuality := whole(fields["quality"])
	if !okSize || !okQuality || size < 0 || quality < 0 || quality > worst {
		return Status{}, errors.New("status has no framesize and quality: no ESP32 camera's")
	}
	s := Status{FrameSize: size, Quality: quality, Kind: CameraWebServer, Sensor: sensor(fields)}
	for _, l := range lights() {
		if v, ok := whole(fields[l.name]); ok && v >= 0 { // -1: none
			s.Light, s.LightValue = l.name, v
		}
	}
	if v, ok := whole(fields["autolamp"]); ok {
		s.AutoLight = &v
	}
	s.StreamURL, _ = fields["stream_url"].(string)
	s.Name, _ = fields["cam_name"].(string)
	for _, own := range []string{"cam_name", "code_ver", "lamp"} {
		if _, has := fields[own]; has {
			s.Kind = Easytarget
		}
	}
	return s, nil
}

func whole(v any) (int, bool) {
	f, ok := v.(float64)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<20 {
		return 0, false
	}
	return int(f), true
}

// sensor goes by the registers that the firmware reads from each.
func sensor(fields map[string]any) string {
	if _, has := fields["0xd3"]; has {
		return "OV2640"
	}
	for key := range fields {
		if strings.HasPrefix(key, "0x34") {
			return "OV3660 or OV5640"
		}
	}
	return ""
}

// LightFor is the value of a lamp's variable for 0 to 100 percent.
func (s Status) LightFor(percent int) int { return (percent*lightNamed(s.Light).full + 50) / 100 }

// The quality of the sensor's encoder: below finest the picture outgrows the
// board's buffers and comes cut.
const (
	finest = 4
	worst  = 63
)

// QualityFor is the board's quality, 63 to 4, for 1 (small) to 100 (good).
func QualityFor(q int) int {
	q = min(max(q, 1), 100)
	return worst - ((q-1)*(worst-finest)+49)/99
}
