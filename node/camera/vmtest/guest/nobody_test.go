//go:build vmguest

package guest

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"camqtt/node/camera"
	"camqtt/node/camera/vmtest/webcam"
)

// asNobody runs TestRefused again as a user without rights.
func asNobody(t *testing.T, path string, code camera.Code, text string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestRefused$", "-test.v")
	cmd.Env = append(os.Environ(), "GUEST_SOURCE=v4l2:"+path, "GUEST_WANT="+string(code), "GUEST_TEXT="+text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

// TestRefused: a user without rights is told what to do.
func TestRefused(t *testing.T) {
	if os.Getenv("GUEST_SOURCE") != "" {
		failsWith(t, source(t, os.Getenv("GUEST_SOURCE")), camera.Code(os.Getenv("GUEST_WANT")), os.Getenv("GUEST_TEXT"))
		return
	}
	cam := plug(t, webcam.Options{Name: "Sim Webcam", Picture: newFilm().picture})
	path := node(t, cam)
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	asNobody(t, path, camera.NoCamera, "being set up") // udev may still be at it
	<-time.After(time.Until(time.Unix(st.Ctim.Unix()).Add(5200 * time.Millisecond)))
	asNobody(t, path, camera.Config, "group video")
}
