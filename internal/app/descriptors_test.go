package app

import "testing"

// Neither HTTP nor MQTT can use up the files that the other needs.
func TestConnectionShares(t *testing.T) {
	for _, c := range []struct{ want, files, mqtt, http int }{
		{2000, 0, 2000, 1000},
		{2000, 1 << 20, 2000, 1000},
		{2000, 1024, 512, 256},
		{100, 1024, 100, 256},
		{2000, 256, 128, 64},
		{1, 1, 1, 1},
	} {
		mqtt, http := connectionShares(c.want, c.files)
		if mqtt != c.mqtt || http != c.http {
			t.Errorf("%d wanted, %d files: %d for MQTT and %d for HTTP, want %d and %d", c.want, c.files, mqtt, http, c.mqtt, c.http)
		}
		if c.files > 3 && mqtt+http >= c.files {
			t.Errorf("%d files: nothing is left for others", c.files)
		}
	}
}
