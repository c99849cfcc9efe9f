//go:build vmguest

package guest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camqtt/node/camera/vmtest/webcam"
)

// TestProgramIdle: the camera is switched on when somebody asks and not before,
// stays on for keep_warm, and is closed then: its lamp is out, and no process
// holds its device.
func TestProgramIdle(t *testing.T) {
	cam := plug(t, webcam.Options{Name: "Sim Webcam", Serial: "SIM0001", Picture: newFilm().picture})
	// Long enough for two requests in a row on a machine made of software.
	const warm = 10 * time.Second
	pid := program(t, strings.Replace(programConfig, "keep_warm: 2s", "keep_warm: 10s", 1))
	const inexact = 100 * time.Millisecond // such a machine does not keep time exactly
	idle := func(turns int) {
		t.Helper()
		if open := everyOpenNode(); len(open) > 0 {
			t.Errorf("nobody asks, and these are open: %v", open)
		}
		if got := cam.Turns(); len(got) != turns {
			t.Errorf("nobody asks, and the camera was switched %v, want %d times", got, turns)
		}
	}
	snapUntil(t) // the node is up
	closed(t, pid)
	up := len(cam.Turns()) // not everybody hears the first command
	idle(up)
	<-time.After(3 * time.Second) // long enough to open it again, if anything did
	idle(up)

	asked := time.Now()
	snapHTTP(t)
	if got := cam.Turns(); len(got) != up+1 || !got[up].On || got[up].At.Before(asked) {
		t.Fatalf("after a snap at %v the camera was switched %v, want on since then, for the first time after %d", asked, got, up)
	}
	if open := everyOpenNode(); len(open) != 1 || !strings.HasPrefix(open[0], pid+" ") {
		t.Errorf("after a snap %v is open, want one node by process %s for as long as keep_warm", open, pid)
	}
	asked = time.Now()
	snapHTTP(t)
	closed(t, pid)
	got := cam.Turns()
	if len(got) != up+2 || got[up+1].On {
		t.Fatalf("a second snap and keep_warm later the camera was switched %v, want once more off and nothing else", got)
	}
	if stayed := got[up+1].At.Sub(asked); stayed < warm-inexact {
		t.Errorf("the camera was switched off %v after it was asked for a picture, want keep_warm of %v", stayed, warm)
	}

	// A lease keeps it on for longer, and no longer.
	leased := time.Now()
	command(t, "start", "front", "--for", "2s", "--viewer", "v1")
	closed(t, pid)
	got = cam.Turns()
	if len(got) != up+4 || got[up+3].On || got[up+3].At.Sub(leased) < 2*time.Second+warm-inexact {
		t.Errorf("a lease of 2 s after %v: the camera was switched %v, want on, and off keep_warm of %v after its end", leased, got, warm)
	}
	command(t, "start", "front")
	<-time.After(500 * time.Millisecond)
	command(t, "stop", "front")
	stopped := time.Now()
	closed(t, pid)
	got = cam.Turns()
	if len(got) != up+6 || got[up+5].On || got[up+5].At.Sub(stopped) > patience {
		t.Errorf("stopped at %v: the camera was switched %v, want off keep_warm later", stopped, got)
	}
	idle(up + 6)
	for i, turn := range cam.Turns() {
		t.Logf("switched on=%v after %v", turn.On, turn.At.Sub(cam.Turns()[0].At).Round(time.Millisecond))
		if turn.On != (i%2 == 0) {
			t.Errorf("switch %d is on=%v", i, turn.On)
		}
	}
}

// TestProgramReplug: a stream that somebody watches goes on by itself after the
// cable was pulled and put back, though the camera has another number then.
func TestProgramReplug(t *testing.T) {
	cam := plug(t, webcam.Options{Name: "Sim Webcam", Serial: "SIM0001", Picture: newFilm().picture})
	pid := program(t, programConfig)
	snapUntil(t)
	command(t, "start", "front")
	held := openDevice(t, node(t, cam)) // so that the number stays taken
	unplug(t, cam)
	unplugged := time.Now()
	closed(t, pid)
	<-time.After(time.Until(unplugged.Add(5 * time.Second)))
	turns := len(cam.Turns())
	if err := cam.Plug(); err != nil {
		t.Fatal(err)
	}
	if after := node(t, cam); after == held.Path() {
		t.Fatalf("the camera is %s again: nothing is proved", after)
	}
	back := time.Now()
	for len(cam.Turns()) == turns {
		if time.Since(back) > patience {
			t.Fatalf("the camera is back for %v and has not been switched on", patience)
		}
		<-time.After(10 * time.Millisecond)
	}
	took := cam.Turns()[turns].At.Sub(back)
	if took > 45*time.Second { // one that is not looked for is tried once a minute
		t.Errorf("the camera was switched on %v after it was back, want it looked for every 2 s", took)
	}
	t.Logf("switched on %v after it was back", took.Round(time.Millisecond))
	command(t, "stop", "front")
	closed(t, pid)
}

// everyOpenNode lists the processes that have a video node open, with the node.
func everyOpenNode() []string {
	var all []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		for _, open := range openNodes(filepath.Base(p)) {
			all = append(all, filepath.Base(p)+" "+open)
		}
	}
	return all
}

// TestProgramRaw: of a camera without JPEGs the program makes some, and says in
// the camera's state, for everybody to see, that it does.
func TestProgramRaw(t *testing.T) {
	path := vivid(t)
	program(t, fmt.Sprintf(`
broker: {listen: 127.0.0.1:1883, data: /tmp/data}
dashboard: {listen: 127.0.0.1:8080}
cameras: [{id: front, source: "v4l2:%s?format=YUYV&settle=0", size: 640x360, fps: 5}]
`, path))
	pic := snap(t)
	if im := decode(t, pic); im.Bounds().Dx() != 640 || im.Bounds().Dy() != 360 {
		t.Errorf("the picture is %v, want 640x360", im.Bounds())
	}
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // state is published once a second
		model, warning := listed(t)
		if model == "vivid" && strings.Contains(warning, "YUYV") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("/api/cameras has model %q and warning %q, want vivid and that YUYV is encoded", model, warning)
		}
	}
}

// snapHTTP is snap without a process to start, which takes seconds on a machine made
// of software that others keep busy.
func snapHTTP(t *testing.T) {
	t.Helper()
	answer, err := http.Get("http://127.0.0.1:8080/cam/front/snapshot.jpg")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || kind != "image/jpeg" {
		t.Fatalf("a picture by HTTP: %s, %s", answer.Status, kind)
	}
}

// listing is what the program lists of a camera.
type listing struct{ Status, Model, Warning string }

// cameras lists the cameras of the program.
func cameras() (all []listing, err error) {
	answer, err := http.Get("http://127.0.0.1:8080/api/cameras")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	err = json.NewDecoder(answer.Body).Decode(&all)
	return all, err
}

// listed is what the program lists of its only camera.
func listed(t *testing.T) (model, warning string) {
	t.Helper()
	all, err := cameras()
	if err != nil || len(all) != 1 {
		t.Fatalf("/api/cameras = %+v, %v, want one camera", all, err)
	}
	return all[0].Model, all[0].Warning
}
