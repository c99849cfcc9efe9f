package webcam

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/sourceurl"
	"camqtt/node/camera/webcam/v4l2"
)

// unsaid is the settle of a source whose text has none.
const unsaid = -1

// webcamOptions is what is written behind "v4l2:": where the camera is, and
// after a question mark how it is to be set.
type webcamOptions struct {
	where  string        // "" for the only one, a path, or "usb-" and a serial number or place
	settle time.Duration // how long pictures are left out at first, or unsaid
	format v4l2.FourCC   // 0: the best there is
	set    []setting     // controls, in the order in which they are written
}

// setting is a control by name and what it is to be set to. The order matters:
// an exposure time can be set only after the automatic is off.
type setting struct {
	name  string
	value int32
}

// pixelFormats are those we can make pictures of, the best first: the camera's
// own JPEGs cost a copy, the others must be encoded; of these, colour first and
// then the ones with the fewest bytes to touch.
func pixelFormats() []v4l2.FourCC {
	return []v4l2.FourCC{v4l2.MJPG, v4l2.JPEG, v4l2.YUYV, v4l2.UYVY, v4l2.NV12, v4l2.YU12, v4l2.RGB3, v4l2.GREY}
}

// isJPEG says whether a format is pictures already.
func isJPEG(f v4l2.FourCC) bool { return f == v4l2.MJPG || f == v4l2.JPEG }

func parseWebcam(rest string) (webcamOptions, error) {
	show := redact.Line("v4l2:" + rest)
	where, query, _ := strings.Cut(rest, "?")
	o := webcamOptions{where: where, settle: unsaid}
	usb, isUSB := strings.CutPrefix(where, "usb-")
	if where != "" && !filepath.IsAbs(where) && (!isUSB || usb == "") {
		return o, camera.ConfigError("source %s: want v4l2:/dev/video0, v4l2:/dev/v4l/by-id/..., v4l2:usb- and the serial number or the port, or v4l2: alone for the only camera", show)
	}
	if err := sourceurl.EachOption(query, func(x sourceurl.Option) (string, error) { return x.Key, o.option(x.Key, x.Value) }); err != nil {
		return o, camera.ConfigError("source %s: %v", show, err)
	}
	return o, nil
}

// option takes one key and value. What is no option of ours is a control of the
// camera's; whether it has that one is known when it is there.
func (o *webcamOptions) option(key, value string) error {
	switch key {
	case "settle":
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || d > camera.SettleMax {
			return camera.ConfigError("settle %q: want a time up to %s, such as 1.5s; 0 to take the first picture as it is", value, camera.SettleMax)
		}
		o.settle = d
		return nil
	case "format":
		var names []string
		for _, f := range pixelFormats() {
			if strings.EqualFold(f.String(), value) {
				o.format = f
				return nil
			}
			names = append(names, f.String())
		}
		return camera.ConfigError("format %q: want one of %s", value, strings.Join(names, ", "))
	}
	v, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		words := map[string]int64{"true": 1, "on": 1, "false": 0, "off": 0}
		var ok bool
		if v, ok = words[strings.ToLower(value)]; !ok {
			return camera.ConfigError("%s %q: want a whole number, on or off", key, value)
		}
	}
	o.set = append(o.set, setting{key, int32(v)})
	return nil
}
