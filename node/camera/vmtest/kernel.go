package vmtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Kernel is one of Debian's, unpacked.
type Kernel struct {
	// Image is the file that boots.
	Image string
	// Version is what uname says.
	Version string

	arch    arch
	modules string // folder
}

// arch is a sort of machine.
type arch struct {
	goarch  string // of programs that run in it
	debian  string
	meta    string // package that depends on the newest kernel
	qemu    string // program
	of      string // package it is in
	args    []string
	console string
}

func arches() []arch {
	// no_timer_check: the kernel counts on a timer's interrupts within so many loops
	// and panics when none of its ways to route them seems to work, which is so when
	// the host has no time for the machine.
	return []arch{
		{"amd64", "amd64", "linux-image-amd64", "qemu-system-x86_64", "qemu-system-x86", []string{"-M", "pc", "-cpu", "max", "-m", "640"}, "ttyS0 tsc=reliable mitigations=off no_timer_check"},
		{"arm64", "arm64", "linux-image-arm64", "qemu-system-aarch64", "qemu-system-arm", []string{"-M", "virt", "-cpu", "cortex-a53", "-m", "640"}, "ttyAMA0"},
		{"arm", "armhf", "linux-image-armmp", "qemu-system-arm", "qemu-system-arm", []string{"-M", "virt,highmem=off", "-cpu", "cortex-a15", "-m", "640"}, "ttyAMA0"},
	}
}

// Missing names the Debian packages without which no machine of an
// architecture can be made here.
func Missing(goarch string) []string {
	a, err := archOf(goarch)
	if err != nil {
		return nil
	}
	var missing []string
	for _, need := range [][2]string{{a.qemu, a.of}, {"apt-get", "apt"}, {"dpkg", "dpkg"}} {
		if _, err := exec.LookPath(need[0]); err != nil {
			missing = append(missing, need[1])
		}
	}
	return missing
}

// drivers are the modules that are kept of a kernel, with all that they need:
// the other thousands take a hundred times the room.
func drivers() []string { return []string{"uvcvideo", "vhci-hcd", "vivid"} }

// Fetch returns Debian's newest kernel for an architecture: the one of the
// cache, or else what apt names now, downloaded and unpacked but never
// installed. Removing the folder camqtt-vm of the user's cache folder makes it
// look for a newer one. It needs no rights.
func Fetch(ctx context.Context, goarch string) (*Kernel, error) {
	a, err := archOf(goarch)
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("kernel for %s: %w", goarch, err)
	}
	// What is kept is part of the name, so that a list that has grown is fetched anew.
	root := filepath.Join(cache, "camqtt-vm", a.debian+"-"+strings.Join(drivers(), "-"))
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		if err := a.fetch(ctx, root); err != nil {
			return nil, fmt.Errorf("kernel for %s: %w\nIt comes from the Debian mirror that /etc/apt names, which has to be within reach; or copy %s from a machine that has it",
				goarch, err, root)
		}
	}
	return a.unpacked(root)
}

func archOf(goarch string) (arch, error) {
	for _, a := range arches() {
		if a.goarch == goarch {
			return a, nil
		}
	}
	return arch{}, fmt.Errorf("kernel for %q: want amd64, arm64 or arm", goarch)
}

// fetch makes root, whole or not at all, in a folder beside it that is gone
// afterwards with all that apt left there.
func (a arch) fetch(ctx context.Context, root string) error {
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return err
	}
	sweep(filepath.Dir(root))
	dir, err := os.MkdirTemp(filepath.Dir(root), fetching)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // what stays is only in the way
	debs, err := a.download(ctx, dir)
	if err != nil {
		return err
	}
	all := filepath.Join(dir, "all")
	for _, deb := range debs {
		if _, err := command(ctx, dir, "dpkg", "-x", deb, all); err != nil {
			return err
		}
	}
	k, err := a.unpacked(all)
	if err != nil {
		return err
	}
	few := filepath.Join(dir, "few")
	if err := k.keep(all, few); err != nil {
		return err
	}
	if err := os.Rename(few, root); err != nil && !errors.Is(err, fs.ErrExist) {
		return err // that it exists means that another process was faster
	}
	return nil
}

// fetching begins the names of folders in which kernels are unpacked.
const fetching = "fetch-"

// sweep removes what attempts that were killed have left: half a gigabyte each.
func sweep(dir string) {
	old, err := filepath.Glob(filepath.Join(dir, fetching+"*"))
	if err != nil {
		return // only a pattern can be wrong
	}
	for _, o := range old {
		if st, err := os.Stat(o); err == nil && time.Since(st.ModTime()) > time.Hour {
			_ = os.RemoveAll(o) // it is only in the way
		}
	}
}

// keep moves what is needed of an unpacked kernel from one folder to another.
func (k *Kernel) keep(from, to string) error {
	modules, err := k.load(drivers())
	if err != nil {
		return err
	}
	files := []string{k.Image, filepath.Join(k.modules, "modules.builtin")}
	for _, m := range modules {
		files = append(files, m.from)
	}
	for _, f := range files {
		rel, err := filepath.Rel(from, f)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(rel)), 0o755); err != nil {
			return err
		}
		if err := os.Rename(f, filepath.Join(to, rel)); err != nil {
			return err
		}
	}
	return nil
}

// unpacked finds what is needed in an unpacked package: modules in lib or
// usr/lib, the image in boot or, since Debian 14, beside the modules.
func (a arch) unpacked(root string) (*Kernel, error) {
	var found []*Kernel
	for _, lib := range []string{"lib", "usr/lib"} {
		lists, err := filepath.Glob(filepath.Join(root, lib, "modules", "*", "modules.builtin"))
		if err != nil {
			return nil, err
		}
		for _, list := range lists {
			k := &Kernel{modules: filepath.Dir(list), Version: filepath.Base(filepath.Dir(list)), arch: a}
			for _, image := range []string{filepath.Join(root, "boot", "vmlinuz-"+k.Version), filepath.Join(k.modules, "vmlinuz")} {
				if _, err := os.Stat(image); err == nil {
					k.Image = image
					found = append(found, k)
					break
				}
			}
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("kernel in %s: got %d images with modules, want 1", root, len(found))
	}
	return found[0], nil
}
