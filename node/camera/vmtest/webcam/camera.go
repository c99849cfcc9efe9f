//go:build linux

// Package webcam is a USB video class camera made of software, for tests on a
// real kernel. It owns the device's side of USB/IP: the kernel's vhci_hcd takes
// it for a camera in a socket, and the stock uvcvideo driver serves it. It never
// touches a video node.
package webcam

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Size is that of a picture, in pixels.
type Size struct{ Width, Height int }

// Options says what camera to be. The zero value of a field is in its comment.
type Options struct {
	// Maker, Name and Serial are what the camera calls itself; without Serial it
	// has none, as cheap ones do.
	Maker, Name, Serial string
	// Sizes are those it offers; none is 640x480.
	Sizes []Size
	// Picture makes picture n of a stream. A nil result is no picture this time.
	Picture func(n int, s Size) []byte
	// Bulk moves pictures in bulk transfers; false is isochronous ones, as nearly
	// all webcams do.
	Bulk bool
	// Port is that of the kernel's virtual hub: 0 is the first.
	Port int
}

// Camera is a camera that can be plugged in and out. Its methods may be called
// by several goroutines.
type Camera struct {
	o Options

	mu       sync.Mutex
	cable    *cable // nil while unplugged
	damaged  bool
	held     bool
	controls map[uint16]int16
	sent     int
	turns    []Turn
}

// Turn is when the host has switched the camera's pictures on or off: what makes
// the lamp of a real one go on and off.
type Turn struct {
	On bool
	At time.Time
}

// New makes a camera that is not plugged in.
func New(o Options) *Camera {
	if len(o.Sizes) == 0 {
		o.Sizes = []Size{{640, 480}}
	}
	return &Camera{o: o, controls: map[uint16]int16{brightness: 0, contrast: 32}}
}

const hub = "/sys/devices/platform/vhci_hcd.0"

// Plug plugs the camera in and returns when the kernel has been told.
func (c *Camera) Plug() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cable != nil {
		return errors.New("plug in the camera: it is plugged in")
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("plug in the camera: %w", err)
	}
	defer unix.Close(fds[1])
	k := newCable(c, os.NewFile(uintptr(fds[0]), "usbip"))
	const highSpeed = 3
	line := fmt.Sprintf("%d %d %d %d", c.o.Port, fds[1], 1<<16|(c.o.Port+1), highSpeed)
	if err := os.WriteFile(filepath.Join(hub, "attach"), []byte(line), 0); err != nil {
		k.conn.Close()
		return fmt.Errorf("plug in the camera: %w", err)
	}
	k.start()
	c.cable = k
	return nil
}

// Unplug pulls the cable and returns when the camera's goroutines have ended.
// It must be called before the program that made the camera ends.
func (c *Camera) Unplug() error {
	c.mu.Lock()
	k := c.cable
	c.cable = nil
	c.mu.Unlock()
	if k == nil {
		return nil
	}
	err := os.WriteFile(filepath.Join(hub, "detach"), []byte(strconv.Itoa(c.o.Port)), 0)
	k.stop()
	c.turn(false)
	return err
}

// Damage makes the camera say of every picture that it is damaged, or no more.
func (c *Camera) Damage(on bool) { c.set(func() { c.damaged = on }) }

// Hold makes the camera stop delivering without being gone, or go on.
func (c *Camera) Hold(on bool) { c.set(func() { c.held = on }) }

func (c *Camera) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// Brightness is what the kernel has set it to.
func (c *Camera) Brightness() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.controls[brightness])
}

// Sent is how many pictures have left the camera.
func (c *Camera) Sent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent
}

// Turns are all times at which the pictures were switched on and off, the oldest
// first; the first is on. A camera that is unplugged is off.
func (c *Camera) Turns() []Turn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.turns)
}

// turn notes that the pictures are switched, unless they are already.
func (c *Camera) turn(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if was := len(c.turns) > 0 && c.turns[len(c.turns)-1].On; was != on {
		c.turns = append(c.turns, Turn{on, time.Now()})
	}
}

// Node waits until the kernel has made a picture node for the camera and
// returns its path.
func (c *Camera) Node(ctx context.Context) (string, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if path := c.Path(); path != "" {
			return path, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the node of camera %s: %w", c.o.Name, ctx.Err())
		case <-tick.C:
		}
	}
}

// Gone says whether the kernel has noticed that the camera was unplugged, and has
// taken away all that belonged to it.
func (c *Camera) Gone() bool {
	all, err := filepath.Glob(filepath.Join(hub, "usb*", fmt.Sprintf("*-%d", c.o.Port+1)))
	return err == nil && len(all) == 0
}

// Path is the picture node of the camera; "" when it has none (any more).
func (c *Camera) Path() string {
	all, err := filepath.Glob(filepath.Join(hub, "usb*", fmt.Sprintf("*-%d", c.o.Port+1), "*:1.0/video4linux/video*"))
	if err != nil {
		return ""
	}
	for _, p := range all {
		index, _ := os.ReadFile(filepath.Join(p, "index")) // it may go at any time
		path := filepath.Join("/dev", filepath.Base(p))
		if _, err := os.Stat(path); err == nil && strings.TrimSpace(string(index)) == "0" {
			return path
		}
	}
	return ""
}
