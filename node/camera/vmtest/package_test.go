package vmtest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestImages: the kernel that apt would install comes first, and older ones
// follow for a mirror that has lost its file.
func TestImages(t *testing.T) {
	a, err := archOf("arm64")
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{
		"depends": "linux-image-arm64\n  Depends: linux-base-arm64\n  Depends: linux-image-6.1.0-56-arm64\n    linux-image-6.1.0-56-arm64-unsigned\n",
		"show": "Package: linux-image-arm64\nVersion: 6.12.9-1~bpo12+1\nDepends: linux-base-arm64, linux-image-6.12.9+bpo-arm64 (= 6.12.9-1~bpo12+1)\n\n" +
			"Package: linux-image-arm64\nVersion: 6.1.192-2\nDepends: linux-image-6.1.0-56-arm64 (= 6.1.192-2)\n\n" +
			"Package: linux-image-arm64\nDepends: linux-image-6.1.0-50-arm64 (= 6.1.180-1), something\n",
	}
	apt := func(name string, args ...string) (string, error) {
		if name != "apt-cache" || len(args) != 2 || args[1] != "linux-image-arm64" {
			t.Errorf("%s %v, want apt-cache of linux-image-arm64", name, args)
		}
		return answers[args[0]], nil
	}
	want := []string{"linux-image-6.1.0-56-arm64", "linux-image-6.12.9+bpo-arm64", "linux-image-6.1.0-50-arm64"}
	if got, err := a.images(apt); err != nil || !slices.Equal(got, want) {
		t.Errorf("images = %v, %v, want %v", got, err, want)
	}
	answers = nil
	if got, err := a.images(apt); err == nil || !strings.Contains(err.Error(), "linux-image-arm64") {
		t.Errorf("images of a mirror without kernels = %v, %v, want an error that names the package", got, err)
	}
}

// TestParts: a kernel is one package or, in newer Debians, four.
func TestParts(t *testing.T) {
	for text, want := range map[string][]string{
		"x\n  Depends: kmod\n  Depends: linux-base\n": {"x"},
		"x\n  Depends: linux-base-7.2-amd64\n  Depends: linux-binary-7.2-amd64\n  Depends: linux-modules-7.2-amd64\n  Suggests: linux-doc-7.2\n": {
			"x", "linux-base-7.2-amd64", "linux-binary-7.2-amd64", "linux-modules-7.2-amd64",
		},
	} {
		got, err := parts(func(string, ...string) (string, error) { return text, nil }, "x")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("parts = %v, %v, want %v", got, err, want)
		}
	}
}

// TestFetchUnreachable: where no mirror answers, the error says which kernel is
// missing, why, and what to do; nothing is left behind.
func TestFetchUnreachable(t *testing.T) {
	dir := t.TempDir()
	programs := filepath.Join(dir, "bin")
	if err := os.Mkdir(programs, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"apt-get", "apt-cache"} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\necho 'Could not resolve deb.example' >&2\nexit 100\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
	t.Setenv("XDG_CACHE_HOME", dir)
	_, err := Fetch(t.Context(), "arm")
	if err == nil {
		t.Fatal("Fetch without a mirror gave a kernel")
	}
	for _, want := range []string{"kernel for arm", "Could not resolve deb.example", "/etc/apt", filepath.Join(dir, "camqtt-vm", "armhf")} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Fetch = %q, want %q in it", err, want)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, "camqtt-vm")); err != nil || len(left) > 0 {
		t.Errorf("it has left %v (%v), want nothing", left, err)
	}
	if _, err := Fetch(t.Context(), "mips"); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("Fetch(mips) = %v, want an error that names the architectures", err)
	}
}

// TestKeep: of an unpacked kernel only what the tests need is kept, with what
// that needs in turn, and it is found again where it is kept.
func TestKeep(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe") // any ELF file, which has no modinfo
	if err != nil {
		t.Fatal(err)
	}
	from, to := t.TempDir(), t.TempDir()
	for path, data := range map[string]string{
		"boot/vmlinuz-6.0": "kernel", "lib/modules/6.0/modules.builtin": "kernel/drivers/media/vivid.ko\nkernel/drivers/usb/vhci-hcd.ko\n",
		"lib/modules/6.0/kernel/drivers/media/uvcvideo.ko": string(self), "lib/modules/6.0/kernel/drivers/net/other.ko": "other",
	} {
		path = filepath.Join(from, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	k, err := arch{}.unpacked(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.keep(from, to); err == nil || !strings.Contains(err.Error(), "no description") {
		t.Errorf("keep = %v, want an error: this module does not say what it needs", err)
	}
	if err := os.WriteFile(filepath.Join(k.modules, "modules.builtin"), []byte("a/vivid.ko\nb/vhci-hcd.ko\nc/uvcvideo.ko\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(k.modules, "kernel/drivers/media/uvcvideo.ko")); err != nil {
		t.Fatal(err)
	}
	if err := k.keep(from, to); err != nil {
		t.Fatal(err)
	}
	kept, err := arch{}.unpacked(to)
	if err != nil || kept.Version != "6.0" {
		t.Fatalf("what was kept is %+v, %v, want kernel 6.0", kept, err)
	}
	if m, err := kept.load(drivers()); err != nil || len(m) != 0 {
		t.Errorf("load = %v, %v, want nothing: all is built in", m, err)
	}
	if _, err := os.Stat(filepath.Join(to, "lib/modules/6.0/kernel/drivers/net")); err == nil {
		t.Error("a module that nobody needs was kept")
	}
}
