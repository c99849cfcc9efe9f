package viewer_test

import (
	"fmt"
	"strings"
	"testing"

	"camqtt/internal/wire"
)

// A camera that says more of itself than there is to say is not listened to, and no more
// cameras are known than anybody has.
func TestTalkativeCameras(t *testing.T) {
	v, _ := start(t)
	v.Receive(wire.Message{Topic: "cam/porch/status", Payload: []byte(wire.Online)})
	v.Receive(wire.Message{Topic: "cam/porch/status", Payload: make([]byte, 1<<20)})
	v.Receive(wire.Message{Topic: "cam/porch/info", Payload: []byte(`{"id":"porch","name":"Front"}`)})
	v.Receive(wire.Message{Topic: "cam/porch/info", Payload: []byte(`{"id":"porch","sizes":["` + strings.Repeat(`","`, 700_000) + `"]}`)})
	if c, _ := v.Camera("porch"); c.Status != wire.Online || c.Info.Name != "Front" || len(c.Info.Sizes) != 0 {
		t.Errorf("status of %d bytes, name %q, %d sizes", len(c.Status), c.Info.Name, len(c.Info.Sizes))
	}
	const most = 10_000
	for i := range most + 100 {
		v.Receive(wire.Message{Topic: fmt.Sprintf("cam/c%d/status", i), Payload: []byte(wire.Online)})
	}
	if n := len(v.Cameras()); n != most {
		t.Errorf("%d cameras, want %d", n, most)
	}
}
