package memlimit

import (
	"log/slog"
	"os"
	"testing"
)

func TestProgramPart(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-00f00000 r-xp 00000000 fe:01 123 /usr/bin/camqtt":     true,
		"00f00000-01a00000 r--p 00b00000 fe:01 123 /usr/bin/camqtt":     true,
		"01a00000-01b00000 rw-p 01600000 fe:01 123 /usr/bin/camqtt":     false,
		"7f0000000000-7f0000001000 r-xp 00000000 fe:01 9 /usr/lib/x.so": false,
		"c000000000-c000400000 rw-p 00000000 00:00 0":                   false,
		"": false, "nonsense r-xp /usr/bin/camqtt": false,
	} {
		if from, to, ok := programPart(line, "/usr/bin/camqtt"); ok != want || ok && to <= from {
			t.Errorf("%q: %v from %x to %x, want %v", line, ok, from, to, want)
		}
	}
}

// TestGiveBack goes on running after its own code was dropped.
func TestGiveBack(t *testing.T) {
	if err := dropProgram(); err != nil {
		t.Error(err)
	}
	GiveBack(slog.New(slog.DiscardHandler))
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		t.Error(err)
	}
}
