package homeassistant

import (
	"bytes"
	"strings"
	"testing"

	"camqtt/internal/testkit/homeassistant"
	"camqtt/internal/wire"
)

// A camera hangs from its bridge, that from the hub, and without a bridge it hangs
// from the hub itself, which is described first.
func TestHubIsADevice(t *testing.T) {
	for _, m := range []Mode{Device, Component} {
		o := fullOptions(m)
		o.Hub = true
		hub, err := o.HubDevice()
		if err != nil {
			t.Fatal(err)
		}
		own := fullInfo()
		own.Bridge = ""
		for _, c := range []struct {
			msg  wire.Message
			want string
		}{
			{hub[0], `"identifiers":["camqtt__hub"]`},
			{mustBridge(t, o)[0], `"via_device":"camqtt__hub"`},
			{mustMessages(t, o, own)[0], `"via_device":"camqtt__hub"`},
			{mustMessages(t, o, fullInfo())[0], `"via_device":"camqtt-cellar"`},
		} {
			if !bytes.Contains(c.msg.Payload, []byte(c.want)) {
				t.Errorf("want %s in %s", c.want, c.msg.Payload)
			}
		}
		if err := homeassistant.Check(o.prefix(), o.Base, hub); err != nil {
			t.Error(err)
		}
	}
	if p := mustMessages(t, fullOptions(Device), bareInfo())[0].Payload; bytes.Contains(p, []byte("via_device")) {
		t.Errorf("a camera without a hub hangs from something: %s", p)
	}
}

// Nothing is invented: what the camera does not say is left out, and a Home
// Assistant that does not know a key is not given it.
func TestDeviceSaysWhatItIs(t *testing.T) {
	payload := func(m Mode, i wire.Info) string { return string(mustMessages(t, fullOptions(m), i)[0].Payload) }
	all := []string{
		`"manufacturer":"Raspberry Pi"`, `"model":"imx708"`, `"hw_version":"Raspberry Pi 4 Model B"`,
		`"suggested_area":"Hall"`, `"serial_number":"10000000abcd1234"`,
	}
	full, old, bare := payload(Device, fullInfo()), payload(Component, fullInfo()), payload(Device, bareInfo())
	for _, want := range all {
		key, _, _ := strings.Cut(want, ":")
		if !strings.Contains(full, want) {
			t.Errorf("want %s in %s", want, full)
		}
		if got := strings.Contains(old, want); got == (key == `"serial_number"`) {
			t.Errorf("component mode: %s is there: %v", want, got)
		}
		if key != `"model"` && strings.Contains(bare, key) {
			t.Errorf("%s of a camera that says nothing: %s", key, bare)
		}
	}
}
