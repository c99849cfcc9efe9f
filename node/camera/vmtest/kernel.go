package vmtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
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
	args    []string
	console string
}

func arches() []arch {
	return []arch{
		{"amd64", "amd64", "linux-image-amd64", "qemu-system-x86_64", []string{"-M", "pc", "-cpu", "max", "-m", "640"}, "ttyS0 tsc=reliable mitigations=off"},
		{"arm64", "arm64", "linux-image-arm64", "qemu-system-aarch64", []string{"-M", "virt", "-cpu", "cortex-a53", "-m", "640"}, "ttyAMA0"},
		{"arm", "armhf", "linux-image-armmp", "qemu-system-arm", []string{"-M", "virt,highmem=off", "-cpu", "cortex-a15", "-m", "640"}, "ttyAMA0"},
	}
}

// Missing names the Debian packages without which no machine of an
// architecture can be made here.
func Missing(goarch string) []string {
	var missing []string
	for _, a := range arches() {
		if a.goarch != goarch {
			continue
		}
		pkg := "qemu-system-arm"
		if goarch == "amd64" {
			pkg = "qemu-system-x86"
		}
		for program, of := range map[string]string{a.qemu: pkg, "apt-get": "apt", "dpkg": "dpkg"} {
			if _, err := exec.LookPath(program); err != nil {
				missing = append(missing, of)
			}
		}
	}
	return missing
}

// Fetch returns Debian's newest kernel for an architecture: the one of the
// cache, or else what apt names now, downloaded and unpacked but never
// installed. Removing the folder camqtt-vm of the user's cache folder makes it
// look for a newer one. It needs no rights.
func Fetch(ctx context.Context, goarch string) (*Kernel, error) {
	var a arch
	for _, x := range arches() {
		if x.goarch == goarch {
			a = x
		}
	}
	if a.goarch == "" {
		return nil, fmt.Errorf("kernel for %q: want amd64, arm64 or arm", goarch)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("kernel for %s: %w", goarch, err)
	}
	dir := filepath.Join(cache, "camqtt-vm", a.debian)
	root := filepath.Join(dir, "kernel")
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		if err := a.download(ctx, dir, root); err != nil {
			return nil, fmt.Errorf("kernel for %s: %w", goarch, err)
		}
	}
	return a.unpacked(root)
}

// download unpacks the newest kernel into root, whole or not at all.
func (a arch) download(ctx context.Context, dir, root string) error {
	apt, err := a.apt(ctx, dir)
	if err != nil {
		return err
	}
	// A list that is missing does not matter if another has the kernel: a mirror
	// is out of step with itself now and then.
	_, stale := apt("apt-get", "-qq", "update")
	out, err := apt("apt-cache", "depends", a.meta)
	if err != nil {
		return errors.Join(stale, err)
	}
	var pkg string
	for line := range strings.Lines(out) {
		if to, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: linux-image-"); ok && pkg == "" {
			pkg = "linux-image-" + to
		}
	}
	if pkg == "" {
		return errors.Join(stale, fmt.Errorf("apt knows no kernel by %s: got %q", a.meta, out))
	}
	if _, err := apt("apt-get", "-qq", "download", pkg); err != nil {
		return errors.Join(stale, err)
	}
	debs, err := filepath.Glob(filepath.Join(dir, pkg+"_*.deb"))
	if err != nil || len(debs) == 0 {
		return fmt.Errorf("apt-get download %s left no file in %s", pkg, dir)
	}
	part := root + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if _, err := apt("dpkg", "-x", debs[0], part); err != nil {
		return err
	}
	for _, deb := range debs {
		if err := os.Remove(deb); err != nil {
			return err
		}
	}
	return os.Rename(part, root)
}

// apt returns what runs apt, with lists and state of its own, for a foreign
// architecture if need be: that of the system is neither used nor changed.
func (a arch) apt(ctx context.Context, dir string) (func(name string, args ...string) (string, error), error) {
	for _, d := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	settings := []string{
		"APT::Architecture=" + a.debian, "APT::Architectures=" + a.debian,
		"Dir::State=" + filepath.Join(dir, "state"), "Dir::Cache=" + filepath.Join(dir, "cache"),
		"Dir::State::status=/dev/null", "APT::Sandbox::User=" + me.Username,
	}
	return func(name string, args ...string) (string, error) {
		if strings.HasPrefix(name, "apt") {
			for _, s := range settings {
				args = append([]string{"-o", s}, args...)
			}
		}
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if ended, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(ended.Stderr)))
		}
		return string(out), err
	}, nil
}

// unpacked finds what is needed in an unpacked package.
func (a arch) unpacked(root string) (*Kernel, error) {
	images, err := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return nil, fmt.Errorf("kernel in %s: got %d images, want 1", root, len(images))
	}
	k := &Kernel{Image: images[0], Version: strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-"), arch: a}
	for _, lib := range []string{"lib", "usr/lib"} {
		if dir := filepath.Join(root, lib, "modules", k.Version); isDir(dir) {
			k.modules = dir
			return k, nil
		}
	}
	return nil, fmt.Errorf("kernel in %s: no modules of version %s", root, k.Version)
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
