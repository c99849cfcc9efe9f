package cameratest

import (
	"cmp"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

//go:embed testdata/rpicam.c
var rpicamProgram string

// csiList is what two cameras and a USB webcam look like in --list-cameras.
const CsiList = `Available cameras
-----------------
0 : imx219 [3280x2464 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx219@10)
    Modes: 'SRGGB10_CSI2P' : 640x480 [206.65 fps - (1000, 752)/1280x960 crop]
                             1640x1232 [41.85 fps - (0, 0)/3280x2464 crop]
           'SRGGB8' : 640x480 [206.65 fps - (1000, 752)/1280x960 crop]
1 : imx708_wide [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@0/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
                             2304x1296 [56.03 fps - (0, 0)/4608x2592 crop]
                             4608x2592 [14.35 fps - (0, 0)/4608x2592 crop]
2 : HD Webcam [1280x720] (/base/soc/usb@7e980000-1.2:1.0-046d:0825)
`

const (
	CsiFirst  = "/base/soc/i2c0mux/i2c@1/imx219@10"
	CsiSecond = "/base/soc/i2c0mux/i2c@0/imx708@1a"
)

// csi is a machine with the stand-in for a Raspberry Pi's programs, which are
// the only ones in the PATH.
type csi struct {
	t                      testing.TB
	Notes, Device, Picture string
}

// NewCSI makes a machine with these programs.
func NewCSI(t testing.TB, tools ...string) *csi {
	t.Helper()
	dir := t.TempDir()
	c := &csi{t, filepath.Join(dir, "notes"), filepath.Join(dir, "device"), filepath.Join(dir, "pic.jpg")}
	Write(t, c.Picture, Drawn(t, 1))
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	// An earlier one of the same test has left only its own programs in the PATH.
	host := cmp.Or(os.Getenv("CSI_HOST_PATH"), os.Getenv("PATH"))
	t.Setenv("CSI_HOST_PATH", host)
	t.Setenv("PATH", host)
	if len(tools) > 0 {
		Need(t, "gcc")
		source := filepath.Join(dir, "rpicam.c")
		Write(t, source, []byte(rpicamProgram))
		if out, err := exec.Command("gcc", "-Wall", "-o", program, source).CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
	}
	for _, tool := range tools {
		if err := os.Symlink(program, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	for k, v := range map[string]string{"NOTES": c.Notes, "DEVICE": c.Device, "PICTURE": c.Picture, "LIST": CsiList} {
		t.Setenv("CSI_"+k, v)
	}
	return c
}

// ran are the command lines without process ids, and the signals, so far.
func (c *csi) Ran() (lines []string) {
	c.t.Helper()
	b, err := os.ReadFile(c.Notes)
	if err != nil && !os.IsNotExist(err) {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if first, rest, ok := strings.Cut(line, " "); ok && first[0] >= '0' && first[0] <= '9' {
			line = rest
		}
		lines = append(lines, line)
	}
	return lines
}

// has counts notes.
func (c *csi) Has(note string) (n int) {
	for _, line := range c.Ran() {
		if strings.HasPrefix(line, note) {
			n++
		}
	}
	return n
}

// pid is that of the last program that was started.
func (c *csi) Pid() (pid int) {
	b, _ := os.ReadFile(c.Notes)
	for line := range strings.Lines(string(b)) {
		if n, err := strconv.Atoi(strings.SplitN(line, " ", 2)[0]); err == nil {
			pid = n
		}
	}
	return pid
}
