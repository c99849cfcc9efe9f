package webcam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/webcam/v4l2"
)

// notCameras are drivers whose nodes look like a camera's and are none: sensors
// that deliver raw Bayer data for libcamera, image processors and codecs.
func notCameras() []string {
	return []string{"unicam", "rp1-cfe", "bcm2835-isp", "bcm2835-codec", "pispbe", "rpivid", "hantro-vpu", "rkisp1"}
}

// webcamNode is a video node that delivers pictures we can use.
type webcamNode struct {
	v4l2.Node
	looks
	serial string // "" when it has none, or another device here has the same
	nth    int    // 1 for the first picture node of a USB device, then 2 ...
}

// looks is what a node says of itself once it is open.
type looks struct {
	info    v4l2.Info
	formats []v4l2.FourCC // those we can use, best first
	sizes   []camera.Size // of the best format
	maxFPS  float64
	quality bool // encodes at a quality that can be set
}

// finder finds cameras. Tests give it another machine. It is for one goroutine.
type finder struct {
	system v4l2.System
	// look opens a node for a moment. Without formats it is no camera.
	look func(path string) (looks, error)
	// choice is what there was to choose from when it was last reported.
	choice *choice
}

// choice remembers the cameras that are listed in an error. One that is missing
// is looked for every other second, and to open all others each time would wake
// them from their sleep.
type choice struct {
	nodes []v4l2.Node
	text  string
}

func newFinder() finder { return finder{look: lookAt, choice: &choice{}} }

// lookAt opens a node and asks what it can do. That works on one that streams.
func lookAt(path string) (looks, error) {
	d, err := v4l2.Open(path)
	if err != nil {
		return looks{}, err
	}
	defer d.Close()
	l := looks{info: d.Info()}
	if !l.info.Captures() || slices.Contains(notCameras(), l.info.Driver) {
		return l, nil
	}
	has := d.Formats()
	for _, f := range pixelFormats() {
		if slices.Contains(has, f) {
			l.formats = append(l.formats, f)
		}
	}
	if len(l.formats) == 0 {
		return l, nil
	}
	best := l.formats[0]
	for _, s := range d.Sizes(best) {
		l.sizes = append(l.sizes, camera.Size(s))
		l.maxFPS = max(l.maxFPS, d.MaxFPS(best, s))
	}
	_, l.quality = d.Find(v4l2.QualityID)
	l.quality = l.quality || !isJPEG(best)
	return l, nil
}

// cameras lists the camera nodes among those that keep keeps. Errors are those
// of nodes that could not be looked at.
func (f finder) cameras(ctx context.Context, keep func(v4l2.Node) bool) ([]webcamNode, error) {
	nodes, err := f.system.Nodes()
	if err != nil {
		return nil, err
	}
	places := map[string]string{} // serial number to USB path; "" when several have it
	for _, n := range nodes {
		if n.USB == nil || n.USB.Serial == "" {
			continue
		}
		if at, ok := places[n.USB.Serial]; ok && at != n.USB.Path {
			places[n.USB.Serial] = ""
		} else if !ok {
			places[n.USB.Serial] = n.USB.Path
		}
	}
	var all []webcamNode
	var failed []error
	count := map[string]int{}
	for _, n := range inDevice(nodes) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if slices.Contains(notCameras(), n.Driver) || !keep(n) {
			continue
		}
		l, err := f.look(n.Path)
		if err != nil {
			if err = webcamError(n.Path, err); !wentAway(err) {
				failed = append(failed, err)
			}
			continue
		}
		if len(l.formats) == 0 {
			continue
		}
		c := webcamNode{Node: n, looks: l}
		if n.USB != nil {
			count[n.USB.Path]++
			c.nth = count[n.USB.Path]
			if places[n.USB.Serial] != "" {
				c.serial = n.USB.Serial
			}
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b webcamNode) int { return a.Number - b.Number })
	return all, errors.Join(failed...)
}

// wentAway says whether a device was taken away after it had been listed, which
// is not an error.
func wentAway(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO)
}

// inDevice orders nodes as they come within a USB device: that does not change
// when it is plugged in again, while the numbers do.
func inDevice(nodes []v4l2.Node) []v4l2.Node {
	ordered := slices.Clone(nodes)
	slices.SortStableFunc(ordered, func(a, b v4l2.Node) int {
		if a.USB == nil || b.USB == nil || a.USB.Path != b.USB.Path {
			return 0
		}
		return cmp.Or(strings.Compare(a.USB.Interface, b.USB.Interface), a.Index-b.Index)
	})
	return ordered
}

// id is how the camera is told from others for good: "usb-" and its serial
// number, or where it is plugged in; "" for what is no USB device.
func (c webcamNode) id() string {
	if c.USB == nil {
		return ""
	}
	id := "usb-" + cmp.Or(plain(c.serial), c.USB.Path)
	if c.nth > 1 {
		id += "#" + strconv.Itoa(c.nth)
	}
	return id
}

// source is what to write for the camera.
func (c webcamNode) source() string { return "v4l2:" + cmp.Or(c.id(), c.Path) }

// name is the camera for people. The driver for USB cameras puts the name of
// the function behind that of the device, which often is the same once more, and
// cuts the whole off.
func (c webcamNode) name() string {
	name := cmp.Or(c.info.Card, c.Name)
	device, function, two := strings.Cut(name, ": ")
	if two && strings.HasPrefix(device, function) {
		name = device
	}
	return redact.Line(name)
}

// plain makes a word of a serial number that needs no quotes anywhere.
func plain(serial string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, serial)
}

// only finds the camera when there is exactly one.
func (f finder) only(ctx context.Context) (webcamNode, error) {
	all, err := f.cameras(ctx, func(v4l2.Node) bool { return true })
	switch {
	case len(all) == 1:
		return all[0], nil
	case len(all) > 1:
		return webcamNode{}, camera.ConfigError("source v4l2: there are %d cameras: write which one: %s", len(all), listed(all))
	case err != nil:
		return webcamNode{}, err
	}
	return webcamNode{}, &camera.Error{Code: camera.NoCamera, Text: "no camera found: no video device delivers pictures"}
}

// byID finds a USB camera by its serial number or its place.
func (f finder) byID(ctx context.Context, id string) (webcamNode, error) {
	device, order, numbered := strings.Cut(strings.TrimPrefix(id, "usb-"), "#")
	nth := 1
	if numbered {
		nth, _ = strconv.Atoi(order) // 0 for what is no number: there is none of that order
	}
	all, err := f.cameras(ctx, func(n v4l2.Node) bool {
		return n.USB != nil && (n.USB.Path == device || n.USB.Serial != "" && plain(n.USB.Serial) == device)
	})
	places := map[string]bool{}
	var at webcamNode
	for _, c := range all {
		places[c.USB.Path] = true
		if c.nth == nth {
			at = c
		}
	}
	switch {
	case len(places) > 1:
		return at, camera.ConfigError("source v4l2:%s: %d cameras have this serial number: write where the one is plugged in: %s", redact.Line(id), len(places), listed(all))
	case at.Path != "":
		return at, nil
	case err != nil:
		return at, err
	}
	return at, &camera.Error{Code: camera.NoCamera, Text: fmt.Sprintf("no camera %s is plugged in: %s", redact.Line(id), f.others(ctx))}
}

// byPath finds the camera that a path leads to.
func (f finder) byPath(ctx context.Context, path string) (webcamNode, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return webcamNode{}, fmt.Errorf("open %s: %w", path, cmp.Or(errors.Unwrap(err), err))
	}
	nodes, err := f.system.Nodes()
	if err != nil {
		return webcamNode{}, err
	}
	i := slices.IndexFunc(nodes, func(n v4l2.Node) bool { return n.Path == real })
	if i < 0 { // a container, perhaps, that shows the device and not the rest
		l, err := f.look(real)
		if err == nil && len(l.formats) == 0 {
			err = f.noCamera(ctx, path, l.info.Driver)
		}
		return webcamNode{Node: v4l2.Node{Path: real, Driver: l.info.Driver}, looks: l}, err
	}
	// The whole USB device is looked at, because its order of nodes is part of
	// who this one is.
	same := func(n v4l2.Node) bool {
		return n.Path == real || n.USB != nil && nodes[i].USB != nil && n.USB.Path == nodes[i].USB.Path
	}
	all, err := f.cameras(ctx, same)
	for _, c := range all {
		if c.Path == real {
			return c, nil
		}
	}
	if err == nil && !slices.Contains(notCameras(), nodes[i].Driver) {
		_, err = f.look(real) // it may just have been taken away
	}
	if err == nil {
		err = f.noCamera(ctx, path, nodes[i].Driver)
	}
	return webcamNode{}, err
}

// noCamera says that a node is there and delivers no pictures.
func (f finder) noCamera(ctx context.Context, path, driver string) error {
	hint := ""
	if driver == "unicam" || driver == "rp1-cfe" {
		hint = "; the camera of a Raspberry Pi is reached through rpicam-vid, not as a video device"
	}
	return camera.ConfigError("source v4l2:%s: this device (driver %s) delivers no pictures%s: %s", redact.Line(path), redact.Line(driver), hint, f.others(ctx))
}

// others are all cameras for people who have to choose. They are opened only
// when the nodes are not those of the last time.
func (f finder) others(ctx context.Context) string {
	nodes, err := f.system.Nodes()
	if err == nil && f.choice.text != "" && slices.EqualFunc(nodes, f.choice.nodes, sameNode) {
		return f.choice.text
	}
	all, failed := f.cameras(ctx, func(v4l2.Node) bool { return true })
	text := listed(all)
	*f.choice = choice{}
	if err == nil && failed == nil && ctx.Err() == nil {
		*f.choice = choice{nodes, text}
	}
	return text
}

func sameNode(a, b v4l2.Node) bool {
	if a.USB == nil || b.USB == nil {
		return a == b // one of them is nil, or both are
	}
	u, v := *a.USB, *b.USB
	a.USB, b.USB = nil, nil
	return a == b && u == v
}

// listed are cameras for people who have to choose.
func listed(all []webcamNode) string {
	var b []string
	for _, c := range all {
		b = append(b, fmt.Sprintf("%s (%s, now %s)", c.source(), c.name(), c.Path))
	}
	switch len(b) {
	case 0:
		return "there is no camera"
	case 1:
		return "there is " + b[0]
	}
	return "there are " + strings.Join(b, "; ")
}

// Detect lists the cameras that a "v4l2:" source can use.
func Detect(ctx context.Context) ([]camera.Found, error) { return newFinder().found(ctx) }

func (f finder) found(ctx context.Context) ([]camera.Found, error) {
	all, err := f.cameras(ctx, func(v4l2.Node) bool { return true })
	var found []camera.Found
	for _, c := range all {
		v := camera.Found{
			Source: c.source(), Name: c.name(), Device: c.Path, Driver: c.info.Driver,
			Sizes: c.sizes, MaxFPS: c.maxFPS,
		}
		for _, x := range c.formats {
			v.Formats = append(v.Formats, x.String())
		}
		found = append(found, v)
	}
	return found, err
}
