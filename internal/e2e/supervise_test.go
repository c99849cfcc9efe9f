package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"camqtt/internal/testkit"
)

// worker is a camera program: a shell script with a picture, a device that it
// holds open, and a place for process ids.
type worker struct {
	dir    string
	source string // the exec: source
}

func newWorker(t testing.TB, script string) worker {
	t.Helper()
	w := worker{dir: t.TempDir()}
	for name, content := range map[string][]byte{"pic.jpg": testkit.JPEG(t, 64, 48, 1, 0), "device": nil, "camera.sh": []byte("cd '" + w.dir + "'\n" + script)} {
		if err := os.WriteFile(filepath.Join(w.dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.source = "exec:sh " + filepath.Join(w.dir, "camera.sh")
	return w
}

// pids are the processes that have noted themselves.
func (w worker) pids() (all []int) {
	b, _ := os.ReadFile(filepath.Join(w.dir, "pids")) // not there before the first
	for _, f := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			all = append(all, n)
		}
	}
	return all
}

// holders are the processes that have the device open, as fuser says.
func (w worker) holders(t testing.TB) []string {
	t.Helper()
	out, _, _ := testkit.Run(t, testkit.Tool(t, "fuser"), filepath.Join(w.dir, "device"))
	return strings.Fields(string(out))
}

func lives(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// TestKilledNodeLeavesNothing kills a node while it streams: nobody is left to
// stop its camera program, nor what that has started. The kernel ends the program;
// its child finds that it can write no more pictures.
func TestKilledNodeLeavesNothing(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	w := newWorker(t, `
echo $$ >> pids
sh -c 'echo $$ >> pids; while cat pic.jpg; do sleep 0.05; done' &
exec sleep 1000`)
	n := serve(t, "node", "clip", "--broker", d.mqtt, "--source", w.source)
	online(t, d.mqtt, "clip")
	must(t, "start", "clip", "--broker", d.mqtt)
	var pids []int
	testkit.Until(t, "the program and its child run", func() bool {
		all := w.pids()
		pids = all[max(0, len(all)-2):] // before them may be those of the first picture
		return len(pids) == 2 && lives(pids[0]) && lives(pids[1])
	})
	if err := syscall.Kill(n.Cmd.Process.Pid, syscall.SIGKILL); err != nil { // the node alone, not its group
		t.Fatal(err)
	}
	testkit.Until(t, "the program and its child are gone", func() bool { return !lives(pids[0]) && !lives(pids[1]) })
}

// TestNothingIsOpenUnasked looks, from outside, at who has the device open: the
// camera's program when somebody asks, and nobody before, and nobody after
// keep_warm.
func TestNothingIsOpenUnasked(t *testing.T) {
	t.Parallel()
	testkit.Tool(t, "fuser")
	w := newWorker(t, `
echo $$ >> pids
exec 9<>device
while cat pic.jpg; do sleep 0.05; done`)
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source="+w.source, "cameras.porch.keep_warm=1h")
	online(t, h.mqtt, "porch")
	testkit.Until(t, "the device is not open before the first request", func() bool { return len(w.holders(t)) == 0 })
	for i := range 2 {
		before := len(w.pids())
		if i == 0 && before > 1 { // one is that of the first picture, which comes at a random time
			t.Errorf("before the first request the program ran %d times", before)
		}
		must(t, "snap", "porch", "--broker", h.mqtt, "-o", filepath.Join(t.TempDir(), "x.jpg"))
		held, ran := w.holders(t), w.pids()
		if n := len(ran) - before; n != 1 && (n != 2 || i > 0) || !slices.Contains(held, strconv.Itoa(ran[len(ran)-1])) {
			t.Errorf("right after a snap %v hold the device; %v have run", held, ran)
		}
		last := ran[len(ran)-1]
		must(t, "set", "porch", "keep_warm=100ms", "--broker", h.mqtt)
		testkit.Until(t, "the device is closed", func() bool { return len(w.holders(t)) == 0 })
		testkit.Until(t, "the program has ended", func() bool { return !lives(last) })
		must(t, "set", "porch", "keep_warm=1h", "--broker", h.mqtt) // long enough to look around
	}
}

// TestStoppedWhileBrokerHangs stops a node that streams when its broker does not answer:
// nobody takes the camera for online once the broker is back.
func TestStoppedWhileBrokerHangs(t *testing.T) {
	t.Parallel()
	m := testkit.StartMosquitto(t)
	url := "mqtt://" + m.Addr
	n := serve(t, "node", "porch", "--source", "test:", "--broker", url)
	online(t, url, "porch")
	must(t, "start", "porch", "--broker", url)
	for _, s := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := syscall.Kill(m.Pid(), s); err != nil {
			t.Fatal(err)
		}
		if s == syscall.SIGSTOP {
			interrupt(t, n)
		}
	}
	p := place{addr: m.Addr}
	testkit.Until(t, "the camera is offline", func() bool { return p.kept(t, "cam/porch/status")["cam/porch/status"] == "offline" })
}
