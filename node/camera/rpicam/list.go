package rpicam

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/subprocess"
)

// rpicamTool finds the program for videos or stills by the names it has had:
// rpicam-* since November 2023, libcamera-* before.
func rpicamTool(kind string) (string, error) {
	for _, prefix := range []string{"rpicam-", "libcamera-"} {
		if path, err := exec.LookPath(prefix + kind); err == nil {
			return path, nil
		}
	}
	return "", camera.ConfigError("neither rpicam-%s nor libcamera-%s is in the PATH of this service: install rpicam-apps-lite (sudo apt install rpicam-apps-lite; on Bullseye libcamera-apps-lite), or, where only raspivid works, write it as exec:raspivid ...", kind, kind)
}

// csiCamera is a camera as rpicam-apps list it.
type csiCamera struct {
	number string        // its place in the list today
	model  string        // of the sensor
	id     string        // libcamera's, which stays
	size   camera.Size   // of the sensor
	sizes  []camera.Size // of the sensor's modes, smallest first
	offers []camera.Size // worth choosing from, smallest first
	maxFPS float64
}

func (c csiCamera) source() string { return "rpicam:" + c.id }

// listLine begins the description of a camera, as in "0 : imx219 [3280x2464
// 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx219@10)"; listMode is one of its modes,
// as in "640x480 [206.65 fps - (1000, 752)/1280x960 crop]".
var (
	listLine = regexp.MustCompile(`^(\d{1,3}) : (\S+) \[(\d{1,5})x(\d{1,5})[^\]]*\](?: \((\S+)\))?`)
	listMode = regexp.MustCompile(`(\d{1,5})x(\d{1,5}) \[(\d{1,6}(?:\.\d+)?) fps`)
)

// parseCameras reads what --list-cameras says. USB cameras, which some versions
// list, are left out: they are better read as v4l2.
func parseCameras(list string) (all []csiCamera) {
	for line := range strings.Lines(list) {
		line = strings.TrimRight(line, "\r\n")
		if m := listLine.FindStringSubmatch(line); m != nil {
			w, _ := strconv.Atoi(m[3]) // digits, by the pattern
			h, _ := strconv.Atoi(m[4])
			all = append(all, csiCamera{number: m[1], model: redact.Line(m[2]), id: redact.Line(m[5]), size: camera.Size{Width: w, Height: h}})
			continue
		}
		if len(all) == 0 {
			continue
		}
		c := &all[len(all)-1]
		for _, m := range listMode.FindAllStringSubmatch(line, -1) {
			w, _ := strconv.Atoi(m[1])
			h, _ := strconv.Atoi(m[2])
			fps, _ := strconv.ParseFloat(m[3], 64)
			c.maxFPS = max(c.maxFPS, fps)
			c.sizes = append(c.sizes, camera.Size{Width: w, Height: h})
		}
	}
	all = slices.DeleteFunc(all, func(c csiCamera) bool {
		return strings.Contains(c.id, "/usb") || c.size.Width == 0 || c.size.Height == 0
	})
	for i := range all {
		all[i].sizes = sortedSizes(all[i].sizes)
		all[i].offers = all[i].offered()
	}
	return all
}

// sortedSizes are sizes without doubles, smallest first.
func sortedSizes(sizes []camera.Size) []camera.Size {
	slices.SortFunc(sizes, func(a, b camera.Size) int {
		return cmp.Or(a.Width*a.Height-b.Width*b.Height, a.Width-b.Width)
	})
	return slices.DeleteFunc(slices.Compact(sizes), func(s camera.Size) bool { return s.Width == 0 || s.Height == 0 })
}

// offered are the sizes that are worth choosing from: the camera scales to any,
// so the usual ones are offered beside those of the sensor.
func (c csiCamera) offered() []camera.Size {
	all := slices.Clone(c.sizes)
	for _, s := range []camera.Size{
		{Width: 320, Height: 180},
		{Width: 320, Height: 240},
		{Width: 640, Height: 360},
		{Width: 640, Height: 480},
		{Width: 800, Height: 600},
		{Width: 960, Height: 540},
		{Width: 1024, Height: 768},
		{Width: 1280, Height: 720},
		{Width: 1280, Height: 960},
		{Width: 1600, Height: 1200},
		{Width: 1920, Height: 1080},
		{Width: 2560, Height: 1440},
		{Width: 2592, Height: 1944},
	} {
		if s.Width <= c.size.Width && s.Height <= c.size.Height {
			all = append(all, s)
		}
	}
	return sortedSizes(append(all, c.size))
}

// listCSI asks the program which cameras there are. Nobody who streams notices.
func listCSI(ctx context.Context, tool string) ([]csiCamera, error) {
	list, err := subprocess.Output(ctx, tool, "--list-cameras")
	if err != nil {
		return nil, err
	}
	return parseCameras(list), nil
}

// Detect lists the cameras that a "rpicam:" source can use. Without the
// programs there are none.
func Detect(ctx context.Context) (found []camera.Found, err error) {
	tool, err := rpicamTool("vid")
	if err != nil {
		return nil, nil // not a Raspberry Pi, or not set up as one
	}
	all, err := listCSI(ctx, tool)
	for _, c := range all {
		found = append(found, camera.Found{
			Source: c.source(), Name: c.model, Device: c.id, Driver: "libcamera", Formats: []string{"MJPG"},
			Sizes: c.sizes, MaxFPS: c.maxFPS,
		})
	}
	return found, err
}

// listedCSI are cameras for people who have to choose.
func listedCSI(all []csiCamera) string {
	if len(all) == 0 {
		return "there is no camera; is its cable in at both ends?"
	}
	var b []string
	for _, c := range all {
		b = append(b, fmt.Sprintf("%s (%s)", c.source(), c.model))
	}
	return "there is " + strings.Join(b, ", ")
}
