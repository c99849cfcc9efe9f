package viewer_test

import (
	"bytes"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/wire"
)

// TestKept asks for the newest picture of a preview again and again.
func TestKept(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		v, l := start(t)
		say(v, wire.KindStatus, wire.Online, true) // a camera that is not known is asked what it is
		old, young := testkit.JPEG(t, 32, 24, 1, 0), testkit.JPEG(t, 32, 24, 2, 0)
		preview := func(jpg []byte, retained bool) {
			v.Receive(wire.Message{Topic: "cam/porch/preview", Payload: jpg, Retained: retained})
		}
		kept := func(what string, want []byte) {
			t.Helper()
			p, found, err := v.Kept(t.Context(), "porch")
			if err != nil || found != (want != nil) || !bytes.Equal(p.JPEG, want) && want != nil {
				t.Errorf("%s: found %t, %d bytes, %v; want %d bytes", what, found, len(p.JPEG), err, len(want))
			}
		}
		kept("before anything came", nil)
		go func() { // ends with the message
			time.Sleep(100 * time.Millisecond)
			preview(old, true)
		}()
		kept("what the broker keeps", old)
		preview(young, false)
		kept("a newer one", young)
		if l.packets != 1 {
			t.Errorf("%d SUBSCRIBE for four questions, want 1", l.packets)
		}
		preview(nil, false)
		kept("a cleared one", nil)
		preview(young, false)
		v.LinkUp() // it may have been cleared while the link was down
		kept("after an outage", nil)
		preview(old, true)
		time.Sleep(time.Minute)
		kept("after a pause", nil)
		if l.packets != 2 {
			t.Errorf("%d SUBSCRIBE after a pause, want 2", l.packets)
		}
		if n := len(l.commands); n > 1 { // one hello of LinkUp
			t.Errorf("commands were given: %v", l.commands)
		}
	})
}
