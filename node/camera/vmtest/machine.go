// Package vmtest boots Debian's own kernels in QEMU, to try cameras on a real
// Linux with real drivers where there is no camera. It owns the machine for as
// long as it runs, and a cache of unpacked kernels outside the checkout. It
// never installs anything and never runs without a time limit.
package vmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Machine is what to run.
type Machine struct {
	Kernel *Kernel
	// Boot is the first program, built from the folder boot for the machine.
	Boot string
	// Modules are loaded in this order, with what they need: "vivid n_devs=1".
	Modules []string
	// Files are programs to have in the machine: path there, path here.
	Files map[string]string
	// Command is run there, with Env beside PATH, HOME and TMPDIR.
	Command, Env []string
	// Count makes the machine's clock count instructions, one for a nanosecond, on
	// one processor: what takes how long is the same on every host.
	Count bool
	// Limit is how long all of it may take; 0 is two minutes.
	Limit time.Duration
}

// Result is how it went.
type Result struct {
	// Console is all that kernel and command wrote.
	Console string
	// Status is the exit status of the command; -1 when there is none because the
	// machine ended otherwise.
	Status int
	// Took is from the start of QEMU to its end.
	Took time.Duration
}

// Run boots the machine, runs the command and switches it off. An error is one
// of making the machine; how the command ended is in the result.
func (m Machine) Run(ctx context.Context) (Result, error) {
	dir, err := os.MkdirTemp("", "camqtt-vm-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir) // a temporary folder, which may stay
	initrd := filepath.Join(dir, "initrd")
	if err := m.pack(initrd); err != nil {
		return Result{}, fmt.Errorf("pack the machine: %w", err)
	}
	limit := m.Limit
	if limit == 0 {
		limit = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	a := m.Kernel.arch
	pace := []string{"-smp", "2"}
	if m.Count {
		pace = []string{"-smp", "1", "-icount", "shift=0,sleep=off"}
	}
	args := append(slices.Concat(a.args, pace), "-accel", "tcg", "-nodefaults", "-no-user-config", "-display", "none",
		"-no-reboot", "-nic", "none", "-serial", "stdio", "-kernel", m.Kernel.Image, "-initrd", initrd,
		"-append", "quiet loglevel=4 panic=-1 nokaslr console="+a.console)
	cmd := exec.CommandContext(ctx, a.qemu, args...)
	var console bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &console, &console, 5*time.Second
	began := time.Now()
	err = cmd.Run()
	r := Result{Console: strings.ReplaceAll(console.String(), "\r", ""), Status: -1, Took: time.Since(began)}
	if ctx.Err() != nil {
		return r, fmt.Errorf("machine did not end within %s: %w", limit, ctx.Err())
	}
	if err != nil {
		return r, fmt.Errorf("run %s: %w", a.qemu, err)
	}
	if s := regexp.MustCompile(`(?m)^boot: exit (\d+) after`).FindStringSubmatch(r.Console); s != nil {
		if r.Status, err = strconv.Atoi(s[1]); err != nil {
			return r, err
		}
	}
	return r, nil
}

// pack writes the machine's file system: a cpio archive of the format "newc"
// (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
func (m Machine) pack(path string) error {
	modules, err := m.Kernel.load(m.Modules)
	if err != nil {
		return err
	}
	plan, err := json.Marshal(map[string]any{"Modules": modules, "Command": m.Command, "Env": m.Env})
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close() // a second time; the first says whether all is written
	w := &archive{w: f, dirs: map[string]bool{"/": true}}
	w.file("/boot.json", plan)
	for _, x := range modules {
		w.file(x.File, x.data)
	}
	for there, here := range m.Files {
		b, err := os.ReadFile(here)
		if err != nil {
			return err
		}
		w.file(there, b)
	}
	boot, err := os.ReadFile(m.Boot)
	if err != nil {
		return err
	}
	w.file("/init", boot)
	for _, d := range []string{"/proc", "/sys", "/dev", "/tmp", "/bin"} {
		w.dir(d)
	}
	w.entry("TRAILER!!!", 0, nil)
	if w.err != nil {
		return w.err
	}
	return f.Close()
}

// archive writes a cpio archive and keeps the first error.
type archive struct {
	w    io.Writer
	n    int
	dirs map[string]bool
	err  error
}

func (a *archive) file(path string, data []byte) {
	a.dir(filepath.Dir(path))
	a.entry(path[1:], 0o100755, data)
}

func (a *archive) dir(path string) {
	if a.dirs[path] {
		return
	}
	a.dirs[path] = true
	a.dir(filepath.Dir(path))
	a.entry(path[1:], 0o040755, nil)
}

func (a *archive) entry(name string, mode int, data []byte) {
	if a.err != nil {
		return
	}
	a.n++
	head := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.n, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	var b bytes.Buffer
	b.WriteString(head)
	b.Write(make([]byte, -len(head)&3))
	b.Write(data)
	b.Write(make([]byte, -len(data)&3))
	_, a.err = a.w.Write(b.Bytes())
}
