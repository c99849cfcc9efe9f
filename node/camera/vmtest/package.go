package vmtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// download fetches the packages of the newest kernel that the mirror really has
// into a folder, and returns their paths. A mirror is out of step with itself now
// and then: it lists a version whose file has gone, or lacks a list. Then an
// older version does.
func (a arch) download(ctx context.Context, dir string) ([]string, error) {
	apt, err := a.apt(ctx, dir)
	if err != nil {
		return nil, err
	}
	// An error does not matter if the list with the kernel came.
	_, failed := apt("apt-get", "-qq", "-o", "APT::Update::Error-Mode=any", "update")
	images, err := a.images(apt)
	if err != nil {
		return nil, errors.Join(failed, err)
	}
	for _, image := range images {
		all, err := parts(apt, image)
		if err == nil {
			_, err = apt("apt-get", append([]string{"-qq", "download"}, all...)...)
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		var debs []string
		for _, pkg := range all {
			found, err := filepath.Glob(filepath.Join(dir, pkg+"_*.deb"))
			if err != nil || len(found) != 1 {
				return nil, fmt.Errorf("apt-get download %s left %d files in %s, want 1", pkg, len(found), dir)
			}
			debs = append(debs, found[0])
		}
		return debs, nil
	}
	return nil, failed
}

// runner runs a program of apt's and returns what it wrote.
type runner func(name string, args ...string) (string, error)

// images names the packages of kernels: the one that apt would install, then
// all others.
func (a arch) images(apt runner) ([]string, error) {
	chosen, err := apt("apt-cache", "depends", a.meta)
	if err != nil {
		return nil, err
	}
	known, err := apt("apt-cache", "show", a.meta)
	if err != nil {
		return nil, err
	}
	all := needs(chosen+"\n"+known, "linux-image-")
	if len(all) == 0 {
		return nil, fmt.Errorf("apt knows no kernel by %s: got %q", a.meta, chosen)
	}
	return all, nil
}

// parts names the packages that a kernel is in: since Debian 14 image, modules
// and the list of what is built in are packages of their own.
func parts(apt runner, image string) ([]string, error) {
	out, err := apt("apt-cache", "depends", image)
	if err != nil {
		return nil, err
	}
	return append([]string{image}, needs(out, "linux-base-", "linux-binary-", "linux-modules-")...), nil
}

// needs picks the packages of which the names begin like these, and go on with a
// version, from what apt says of dependencies; each once.
func needs(text string, prefixes ...string) []string {
	name := regexp.MustCompile(`(?:` + strings.Join(prefixes, "|") + `)[0-9][^ ,\n]*`)
	var all []string
	for line := range strings.Lines(text) {
		list, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: ")
		if !ok {
			continue
		}
		for _, pkg := range name.FindAllString(list, -1) {
			if !slices.Contains(all, pkg) {
				all = append(all, pkg)
			}
		}
	}
	return all
}

// apt returns what runs apt, with lists and state of its own, for a foreign
// architecture if need be: that of the system is neither used nor changed.
func (a arch) apt(ctx context.Context, dir string) (runner, error) {
	for _, d := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	var settings []string
	for _, s := range []string{
		"APT::Architecture=" + a.debian, "APT::Architectures=" + a.debian,
		"Dir::State=" + filepath.Join(dir, "state"), "Dir::Cache=" + filepath.Join(dir, "cache"),
		"Dir::State::status=/dev/null", "APT::Sandbox::User=" + me.Username,
		"Acquire::Languages=none", "Acquire::Retries=6",
	} {
		settings = append(settings, "-o", s)
	}
	return func(name string, args ...string) (string, error) {
		return command(ctx, dir, name, slices.Concat(settings, args)...)
	}, nil
}

// command runs a program in a folder and returns what it wrote. Its error has
// what it complained of.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(ended.Stderr)))
	}
	return string(out), err
}
