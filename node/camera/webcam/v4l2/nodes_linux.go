package v4l2

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// System is where the kernel shows its devices. The zero value is this machine.
type System struct {
	// Sys is where sysfs is mounted; "" is /sys.
	Sys string
	// Dev is where device nodes are; "" is /dev.
	Dev string
}

// Node is a video node as the kernel lists it, whether or not it is a camera's.
type Node struct {
	// Path is that of the device, such as "/dev/video0". It may be another one
	// after the camera has been plugged in again.
	Path string
	// Number is the kernel's. Path ends in it, but perhaps not in a container.
	Number int
	// Name is the driver's name for it.
	Name string
	// Driver is the kernel module, "" when the kernel does not tell.
	Driver string
	// Index counts the nodes of one device; a webcam's pictures are at 0.
	Index int
	// USB says where it is plugged in; nil for what is no USB device.
	USB *USB
}

// USB is what a device says of itself, and the place where it is plugged in.
type USB struct {
	// Path is the bus and the ports on the way: "1-1.2". It stays the same as
	// long as it is not plugged in elsewhere.
	Path string
	// Interface is the number of the video function in the device, "1.0". Some
	// devices have several.
	Interface string
	// Serial is the serial number, "" when the device has none.
	Serial string
	// Maker and Product are the names the device goes by; each may be "".
	Maker, Product string
}

// Nodes lists the video nodes by number. It opens none.
func (s System) Nodes() ([]Node, error) {
	class := filepath.Join(cmp.Or(s.Sys, "/sys"), "class/video4linux")
	entries, err := os.ReadDir(class)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the kernel has no video at all: no camera has been seen yet
	}
	if err != nil {
		return nil, err
	}
	paths := devices(cmp.Or(s.Dev, "/dev"))
	var all []Node
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), "video")
		number, err := strconv.Atoi(digits)
		if !ok || err != nil {
			continue // radio, v4l-subdev
		}
		at := filepath.Join(class, e.Name())
		path := paths.of(filepath.Join(cmp.Or(s.Dev, "/dev"), e.Name()), attribute(at, "dev"))
		if path == "" {
			continue
		}
		n := Node{
			Path: path, Number: number,
			Name: attribute(at, "name"), Driver: linkBase(filepath.Join(at, "device/driver")),
		}
		n.Index, _ = strconv.Atoi(attribute(at, "index")) // 0 where a kernel has none
		if device, err := filepath.EvalSymlinks(filepath.Join(at, "device")); err == nil {
			n.USB = usb(device)
		}
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b Node) int { return a.Number - b.Number })
	return all, nil
}

// deviceFiles are the video devices of a folder: path to device number, as sysfs
// writes it.
type deviceFiles map[string]string

// devices looks at the devices there are. In a container they may have other
// names than sysfs gives them, and one may have the name of another.
func devices(dir string) deviceFiles {
	all := deviceFiles{}
	paths, err := filepath.Glob(filepath.Join(dir, "video*"))
	if err != nil {
		return all // only a pattern can be wrong
	}
	for _, p := range paths {
		var st unix.Stat_t
		if unix.Lstat(p, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR {
			all[p] = fmt.Sprintf("%d:%d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev)))
		}
	}
	return all
}

// of is the path of a device that sysfs knows by its usual path and number; ""
// when this system has not been given it.
func (d deviceFiles) of(usual, number string) string {
	has, ok := d[usual]
	if has == number || number == "" {
		return usual
	}
	for path, n := range d {
		if n == number {
			return path
		}
	}
	if ok {
		return ""
	}
	return usual // it may be made at this moment; opening it will tell
}

// usb describes the USB device that a folder of sysfs, its interface, belongs
// to; nil when that is none.
func usb(iface string) *USB {
	device := filepath.Dir(iface)
	if attribute(device, "idVendor") == "" || attribute(iface, "bInterfaceClass") == "" {
		return nil
	}
	u := &USB{
		Path: filepath.Base(device), Serial: attribute(device, "serial"),
		Maker: attribute(device, "manufacturer"), Product: attribute(device, "product"),
	}
	_, u.Interface, _ = strings.Cut(filepath.Base(iface), ":")
	return u
}

// attribute reads a file of sysfs; "" when there is none.
func attribute(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "" // not every device has every attribute, and it may go at any time
	}
	return text(b)
}

func linkBase(link string) string {
	to, err := os.Readlink(link)
	if err != nil {
		return ""
	}
	return filepath.Base(to)
}
