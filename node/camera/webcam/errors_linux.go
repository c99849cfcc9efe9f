package webcam

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"camqtt/internal/redact"
	"camqtt/node/camera"
)

// freshNode is how long after a device has appeared a refusal is not believed:
// udev sets the group of the node a moment after the kernel has made it.
const freshNode = 5 * time.Second

// webcamError turns what the kernel said of the camera at path into what people
// and the caller can use. What is an *Error already stays as it is.
func webcamError(path string, err error) error {
	if e, ok := errors.AsType[*camera.Error](err); ok {
		return e
	}
	says := func(code camera.Code, format string, a ...any) error {
		return &camera.Error{Code: code, Text: redact.Line(fmt.Sprintf(format, a...)), Err: err}
	}
	for _, c := range []struct {
		errno unix.Errno
		then  func() error
	}{
		{unix.EBUSY, func() error {
			return says(camera.CameraBusy, "camera %s is in use by %s", path, holder(path))
		}},
		{unix.ENOSPC, func() error {
			return says(camera.CameraBusy, "camera %s gets no USB bandwidth, which other devices on its bus have reserved: use another port, a smaller size, or MJPG", path)
		}},
		{unix.EACCES, func() error { return refused(path, says) }},
		{unix.EPERM, func() error { return refused(path, says) }},
		{unix.ENODEV, func() error { return says(camera.NoCamera, "camera %s was unplugged", path) }},
		{unix.ENXIO, func() error { return says(camera.NoCamera, "camera %s is not there", path) }},
		{unix.ENOENT, func() error { return says(camera.NoCamera, "camera %s is not there", path) }},
		{unix.ENOTDIR, func() error { return says(camera.NoCamera, "camera %s is not there", path) }},
		{unix.ENOTTY, func() error { return says(camera.Config, "source v4l2:%s: this is no video device", path) }},
		{unix.EISDIR, func() error { return says(camera.Config, "source v4l2:%s: this is a folder, not a video device", path) }},
	} {
		if errors.Is(err, c.errno) {
			return c.then()
		}
	}
	return says(camera.NoCamera, "camera %s failed: %v", path, err)
}

// refused tells what to do about a device that may not be opened.
func refused(path string, says func(camera.Code, string, ...any) error) error {
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil && time.Since(time.Unix(st.Ctim.Unix())) < freshNode {
		return says(camera.NoCamera, "camera %s is being set up", path)
	}
	return says(camera.Config, "camera %s may not be opened by this user: put the user into the group video (usermod -aG video NAME, then log in again; in a systemd unit SupplementaryGroups=video)", path)
}

// holder names the program that has a device open; only programs of the same
// user can be seen, unless one is root.
func holder(path string) string {
	const somebody = "another program"
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return somebody
	}
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return somebody
	}
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		fds := filepath.Join("/proc", p.Name(), "fd")
		open, err := os.ReadDir(fds)
		if err != nil {
			continue // another user's
		}
		for _, fd := range open {
			if to, err := os.Readlink(filepath.Join(fds, fd.Name())); err == nil && to == real {
				name, _ := os.ReadFile(filepath.Join("/proc", p.Name(), "comm")) // it may just have ended
				return fmt.Sprintf("%s (process %d)", strings.TrimSpace(string(name)), pid)
			}
		}
	}
	return somebody
}
