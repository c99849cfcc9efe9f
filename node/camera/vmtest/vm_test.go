//go:build vm

// These tests take minutes and need QEMU, so they run only when asked:
//
//	go test -tags vm -count=1 -timeout 25m ./node/camera/vmtest
//
// Without -count=1 an old result may be shown, because what runs in the machines
// is built by the tests themselves.

package vmtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kernel fetches the kernel of an architecture, or skips where the tools for
// it are missing; in CI they may not be.
func kernel(t testing.TB, goarch string) *Kernel {
	t.Helper()
	if missing := Missing(goarch); len(missing) > 0 {
		text := "not installed: try: sudo apt-get install --no-install-recommends " + strings.Join(missing, " ")
		if os.Getenv("CI") != "" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	k, err := Fetch(t.Context(), goarch)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// build compiles for a machine: a program, or with "test" the tests of a package.
func build(t testing.TB, goarch string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "program")
	cmd := exec.CommandContext(t.Context(), "go", append(args[:1:1], append([]string{"-trimpath", "-ldflags", "-s -w", "-o", out}, args[1:]...)...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch, "GOARM=6", "GO386=softfloat")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s for %s: %v\n%s", strings.Join(args, " "), goarch, err, text)
	}
	return out
}

// guest runs tests of the package guest in a machine.
func guest(t *testing.T, k *Kernel, goarch, tests string, modules ...string) {
	t.Helper()
	m := Machine{
		Kernel: k, Boot: build(t, k.arch.goarch, "build", "camqtt/node/camera/vmtest/boot"), Modules: modules,
		Files:   map[string]string{"/bin/guest": build(t, goarch, "test", "-c", "-tags", "vmguest", "camqtt/node/camera/vmtest/guest")},
		Command: []string{"/bin/guest", "-test.v", "-test.failfast=false", "-test.timeout=12m", "-test.run", tests},
		Limit:   13 * time.Minute,
	}
	if strings.Contains(tests, "Program") {
		m.Files["/bin/camqtt"] = build(t, goarch, "build", "camqtt")
	}
	r, err := m.Run(t.Context())
	if err != nil || r.Status != 0 {
		t.Errorf("machine: status %d, %v\n%s", r.Status, err, r.Console)
		return
	}
	if strings.Contains(r.Console, "--- SKIP") || !strings.Contains(r.Console, "--- PASS") {
		t.Errorf("tests were left out, or there were none:\n%s", r.Console)
	}
	if testing.Verbose() {
		t.Log(r.Console)
	}
	t.Logf("Linux %s, %s program, %s: %.1f s", k.Version, goarch, tests, r.Took.Seconds())
}

// webcams are the drivers for a camera in USB. Kernels since 6.15 have lost the
// parameter and deliver damaged pictures anyway.
func webcams() []string { return []string{"vhci-hcd", "uvcvideo nodrop=1"} }

func TestAMD64(t *testing.T) {
	t.Parallel()
	k := kernel(t, "amd64")
	t.Run("vivid", func(t *testing.T) { guest(t, k, "amd64", "^TestVivid", "vivid n_devs=1") })
	t.Run("webcam", func(t *testing.T) { guest(t, k, "amd64", "^Test(Webcam|Refused)", webcams()...) })
	t.Run("program", func(t *testing.T) { guest(t, k, "amd64", "^TestProgram(Idle|Replug)?$", webcams()...) })
	t.Run("raw", func(t *testing.T) { guest(t, k, "amd64", "^TestProgramRaw$", "vivid n_devs=1") })
	t.Run("386", func(t *testing.T) { guest(t, k, "386", "^TestVivid(SetUp|Source)", "vivid n_devs=1") })
}

// TestARM64 is the kernel of most Raspberry Pis of today.
func TestARM64(t *testing.T) {
	t.Parallel()
	k := kernel(t, "arm64")
	t.Run("vivid", func(t *testing.T) { guest(t, k, "arm64", "^TestVivid(Detect|Raw|SetUp|Errors)", "vivid n_devs=1") })
	t.Run("webcam", func(t *testing.T) { guest(t, k, "arm64", "^TestWebcam(Bytes|Replug|Controls|Which)", webcams()...) })
}

// TestARM is a 32-bit kernel with programs for the oldest Raspberry Pi.
func TestARM(t *testing.T) {
	t.Parallel()
	k := kernel(t, "arm")
	t.Run("vivid", func(t *testing.T) { guest(t, k, "arm", "^TestVivid", "vivid n_devs=1") })
	t.Run("webcam", func(t *testing.T) { guest(t, k, "arm", "^Test(Webcam|Refused)", webcams()...) })
	t.Run("program", func(t *testing.T) { guest(t, k, "arm", "^TestProgram(Idle)?$", webcams()...) })
	t.Run("raw", func(t *testing.T) { guest(t, k, "arm", "^TestProgramRaw$", "vivid n_devs=1") })
}
