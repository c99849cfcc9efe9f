package v4l2

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Device is an open video node. All but Interrupt is for one goroutine. One
// Device streams once: to stream in another format, close it and open another.
type Device struct {
	fd   int
	path string
	info Info

	bufs     [][]byte // mapped
	buffered bool     // the driver has been asked for buffers
	streams  bool

	wake   int        // an eventfd that Interrupt sets
	mu     sync.Mutex // over closed, so that no call uses a descriptor that has another meaning by then
	closed bool

	counts Counts
	seen   bool   // last is valid
	last   uint32 // sequence number of the newest buffer
}

// Info is what a driver says of a node.
type Info struct {
	// Driver is the kernel module, such as "uvcvideo".
	Driver string
	// Card is the device as people know it.
	Card string
	// Bus is where it is plugged in, such as "usb-0000:01:00.0-1.2".
	Bus string

	caps uint32
}

// Captures says whether this very node delivers pictures through buffers that
// can be mapped. A webcam has nodes that deliver descriptions of pictures, and
// codecs and image processors have nodes that want some first.
func (i Info) Captures() bool {
	return i.caps&capCapture != 0 && i.caps&capStreaming != 0 && i.caps&capIOMC == 0
}

// Open opens a video node and asks what it is. Errors wrap what open(2) and the
// driver said: unix.ENOENT, unix.EACCES, unix.ENODEV, or unix.ENOTTY when it
// is no video node at all.
func Open(path string) (*Device, error) {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	d := &Device{fd: fd, path: path}
	var c capability
	if err := d.ioctl(reqQueryCap, unsafe.Pointer(&c)); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("ask %s what it is: %w", path, err)
	}
	if d.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open %s: make an event: %w", path, err)
	}
	d.info = infoOf(&c)
	return d, nil
}

// infoOf goes by the capabilities of the node: those of the whole device list
// what its other nodes can do.
func infoOf(c *capability) Info {
	caps := c.capabilities
	if caps&capDeviceCaps != 0 {
		caps = c.deviceCaps
	}
	return Info{Driver: text(c.driver[:]), Card: text(c.card[:]), Bus: text(c.busInfo[:]), caps: caps}
}

// Info is what the driver said when the device was opened.
func (d *Device) Info() Info { return d.info }

// Path is the path the device was opened by.
func (d *Device) Path() string { return d.path }

// Gone says whether the device behind the node has been taken away.
func (d *Device) Gone() bool {
	var c capability
	return errors.Is(d.ioctl(reqQueryCap, unsafe.Pointer(&c)), unix.ENODEV)
}

// Close stops the stream, gives the buffers back and closes the device; a second
// time it does nothing. That a device which has been taken away refuses all that
// is no error.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.release()
	unix.Close(d.wake)
	if err := unix.Close(d.fd); err != nil && err != unix.EINTR { // interrupted or not, it is closed
		return fmt.Errorf("close %s: %w", d.path, err)
	}
	return nil
}

// ioctl asks the driver, again when a signal came in between. Go sends signals
// to its own threads all the time.
func (d *Device) ioctl(req uintptr, arg unsafe.Pointer) error {
	return again(func() error {
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(d.fd), req, uintptr(arg)); e != 0 {
			return e
		}
		return nil
	})
}

// again calls f until it is not interrupted.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// text is a string of the kernel's: up to the first zero byte.
func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(bytes.ToValidUTF8(bytes.TrimSpace(b), []byte("?")))
}
