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
	renewed := renew(t, path)
	asNobody(t, path, camera.NoCamera, "being set up") // udev may still be at it
	<-time.After(time.Until(renewed().Add(5200 * time.Millisecond)))
	asNobody(t, path, camera.Config, "group video")
}

// renew keeps a node new for as long as a process needs to come to it, which is
// seconds on a machine made of software: until the returned function is called,
// which says since when it is what it is.
func renew(t *testing.T, path string) (stop func() time.Time) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	stopped, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends when stop is called, which waits
		defer close(ended)
		for {
			if err := unix.Chmod(path, st.Mode&0o777); err != nil { // as it is: only its time changes
				t.Error(err)
			}
			select {
			case <-stopped:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() time.Time {
		close(stopped)
		<-ended
		if err := unix.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		return time.Unix(st.Ctim.Unix())
	}
}
