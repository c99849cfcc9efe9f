package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"camqtt/internal/config"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
)

// Pictures that mosquitto_pub publishes on a topic are those of the camera, raw and in
// base64.
func TestPicturesOfATopic(t *testing.T) {
	m := testkit.StartMosquitto(t)
	host, port, err := net.SplitHostPort(m.Addr)
	if err != nil {
		t.Fatal(err)
	}
	pic := cameratest.Drawn(t, 1)
	raw, text := filepath.Join(t.TempDir(), "pic.jpg"), filepath.Join(t.TempDir(), "pic.txt")
	cameratest.Write(t, raw, pic)
	cameratest.Write(t, text, []byte(base64.StdEncoding.EncodeToString(pic)))
	f := &fleet{}
	s, err := kinds.Open("mqtt:boards/porch?broker=mqtt://"+m.Addr, camera.Options{Subscribe: f.subscribe(config.Camera{ID: "porch"}, testkit.Log(t))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := make(chan []byte, 10)
	ended := make(chan error)
	go func() { // ends with ctx; it is waited for below
		ended <- s.Stream(ctx, camera.Mode{}, func(f camera.Frame) { got <- f.JPEG })
	}()
	publish := func(file string) {
		out, err := exec.CommandContext(ctx, testkit.Tool(t, "mosquitto_pub"), "-h", host, "-p", port, "-t", "boards/porch", "-f", file).CombinedOutput()
		if err != nil && ctx.Err() == nil {
			t.Errorf("mosquitto_pub: %v %s", err, out)
		}
	}
	for _, file := range []string{raw, text} {
		for came := false; !came && ctx.Err() == nil; {
			publish(file) // a message from before the subscription is lost
			select {
			case b := <-got:
				if came = true; !bytes.Equal(b, pic) {
					t.Errorf("%s: %d bytes came, want %d", file, len(b), len(pic))
				}
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
	if ctx.Err() != nil {
		t.Error("a picture did not come within a minute")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
