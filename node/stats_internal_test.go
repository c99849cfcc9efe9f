package node

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestSignal(t *testing.T) {
	const head = "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n" +
		" face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n"
	for table, want := range map[string]string{
		head: "none",
		"":   "none",
		head + " wlan0: 0000   54.  -56.  -256        0      0      0      0      0        0\n": "-56",
		head + " wlan0: 0000   54   -56   -256        0      0      0      0      0        0\n": "-56",
		head + " wlan0: 0000   54.  200.  0\n":                                                  "none", // of another scale
		head + " wlan0: 0000\n wlp2: 0000 1. -70. 0\n":                                          "-70",
		head + " wlan0: 0000 a b c\n":                                                           "none",
	} {
		path := filepath.Join(t.TempDir(), "wireless")
		if err := os.WriteFile(path, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
		got := "none"
		if s := signal(path); s != nil {
			got = fmt.Sprint(*s)
		}
		if got != want {
			t.Errorf("signal of %q is %s, want %s", table, got, want)
		}
	}
	if signal("/nonexistent") != nil {
		t.Error("a signal without a network")
	}
}
