// Command boot is the first program of a test machine: it mounts what the
// kernel shows, loads modules, raises the loopback interface, runs one command
// and says with which status it ended. It owns the machine and switches it off
// at the end. It never runs anywhere else.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// plan is /boot.json: what to do.
type plan struct {
	Modules []struct{ File, Params string }
	Command []string
	Env     []string
}

func main() {
	if os.Getpid() != 1 {
		fmt.Println("boot: only for the first process of a test machine")
		return
	}
	began := time.Now()
	status, err := boot()
	if err != nil {
		fmt.Println("boot:", err)
	}
	fmt.Printf("boot: exit %d after %.1fs\n", status, time.Since(began).Seconds())
	unix.Sync()
	// The console sends its last words (tcdrain(3)); the power would be off before.
	if err := unix.IoctlSetInt(int(os.Stdout.Fd()), unix.TCSBRK, 1); err != nil {
		fmt.Println("boot: wait for the console:", err)
		time.Sleep(time.Second)
	}
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("boot: power off:", err) // the kernel panics next, which ends the machine too
	}
}

func boot() (status int, err error) {
	for _, m := range []struct{ kind, at string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return 125, err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return 125, fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	var p plan
	b, err := os.ReadFile("/boot.json")
	if err != nil {
		return 125, err
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return 125, fmt.Errorf("read /boot.json: %w", err)
	}
	for _, m := range p.Modules {
		if err := load(m.File, m.Params); err != nil {
			return 125, fmt.Errorf("load %s: %w", m.File, err)
		}
	}
	if err := raise("lo"); err != nil {
		return 125, err
	}
	cmd := exec.Command(p.Command[0], p.Command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append([]string{"PATH=/bin", "HOME=/tmp", "TMPDIR=/tmp"}, p.Env...)
	err = cmd.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return ended.ExitCode(), nil
	}
	if err != nil {
		return 125, err
	}
	return 0, nil
}

// load loads a kernel module that is not loaded yet.
func load(file, params string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), params, 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// raise switches a network interface on, so that programs of the machine can
// talk to each other.
func raise(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return fmt.Errorf("raise %s: %w", name, err)
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("raise %s: %w", name, err)
	}
	r.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		return fmt.Errorf("raise %s: %w", name, err)
	}
	return nil
}
