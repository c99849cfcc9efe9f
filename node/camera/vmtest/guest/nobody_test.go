//go:build vmguest

package guest

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"camqtt/node/camera"
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
