package broker

import "testing"

// Bounds that are not given fit the memory; those that are given stay as they are.
func TestLimitsFitMemory(t *testing.T) {
	for _, c := range []struct {
		memory                            int64
		retained, inbound, queue, sending int
	}{
		{0, 128 << 20, 256 << 20, 8 << 20, 1 << 20},
		{8 << 30, 128 << 20, 256 << 20, 8 << 20, 1 << 20},
		{128 << 20, 128 << 20 / 5, 16 << 20, 4 << 20, 1 << 20},
		{8 << 20, 8 << 20 / 5, 1 << 20, 256 << 10, 256 << 10},
		{1 << 62, 128 << 20, 256 << 20, 8 << 20, 1 << 20},
	} {
		l, err := Limits{Memory: c.memory}.withDefaults()
		if err != nil || l.RetainedBytes != c.retained || l.InboundBytes != c.inbound || l.QueueBytes != c.queue || l.SendBytes != c.sending {
			t.Errorf("%d bytes: %+v, %v", c.memory, l, err)
		}
	}
	l, err := Limits{Memory: 128 << 20, RetainedBytes: 100 << 20}.withDefaults()
	if err != nil || l.RetainedBytes != 100<<20 {
		t.Errorf("%d retained bytes, %v: wanted what was given", l.RetainedBytes, err)
	}
}
