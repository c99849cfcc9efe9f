package camera

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rpicamTool finds the program for videos or stills by the names it has had:
// rpicam-* since November 2023, libcamera-* before.
func rpicamTool(kind string) (string, error) {
	for _, prefix := range []string{"rpicam-", "libcamera-"} {
		if path, err := exec.LookPath(prefix + kind); err == nil {
			return path, nil
		}
	}
	return "", configError("neither rpicam-%s nor libcamera-%s is in the PATH of this service: install rpicam-apps-lite (sudo apt install rpicam-apps-lite; on Bullseye libcamera-apps-lite), or, where only raspivid works, write it as exec:raspivid ...", kind, kind)
}

// csiCamera is a camera as rpicam-apps list it.
type csiCamera struct {
	number string // its place in the list today
	model  string // of the sensor
	id     string // libcamera's, which stays
	size   Size   // of the sensor
	sizes  []Size // of the sensor's modes, smallest first
	offers []Size // worth choosing from, smallest first
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
			all = append(all, csiCamera{number: m[1], model: clean(m[2]), id: clean(m[5]), size: Size{w, h}})
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
			c.sizes = append(c.sizes, Size{w, h})
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
func sortedSizes(sizes []Size) []Size {
	slices.SortFunc(sizes, func(a, b Size) int {
		return cmp.Or(a.Width*a.Height-b.Width*b.Height, a.Width-b.Width)
	})
	return slices.DeleteFunc(slices.Compact(sizes), func(s Size) bool { return s.Width == 0 || s.Height == 0 })
}

// offered are the sizes that are worth choosing from: the camera scales to any,
// so the usual ones are offered beside those of the sensor.
func (c csiCamera) offered() []Size {
	all := slices.Clone(c.sizes)
	for _, s := range []Size{
		{320, 180},
		{320, 240},
		{640, 360},
		{640, 480},
		{800, 600},
		{960, 540},
		{1024, 768},
		{1280, 720},
		{1280, 960},
		{1600, 1200},
		{1920, 1080},
		{2560, 1440},
		{2592, 1944},
	} {
		if s.Width <= c.size.Width && s.Height <= c.size.Height {
			all = append(all, s)
		}
	}
	return sortedSizes(append(all, c.size))
}

// listCSI asks the program which cameras there are. Nobody who streams notices.
func listCSI(ctx context.Context, tool string) ([]csiCamera, error) {
	list, err := ask(ctx, tool, "--list-cameras")
	if err != nil {
		return nil, err
	}
	return parseCameras(list), nil
}

// detectCSI lists the cameras that a "rpicam:" source can use. Without the
// programs there are none.
func detectCSI(ctx context.Context) (found []Found, err error) {
	tool, err := rpicamTool("vid")
	if err != nil {
		return nil, nil // not a Raspberry Pi, or not set up as one
	}
	all, err := listCSI(ctx, tool)
	for _, c := range all {
		found = append(found, Found{
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
