package diskspace_test

import (
	"testing"

	"camqtt/internal/diskspace"
	"camqtt/internal/testkit"
)

// TestFull fills a disk and makes room again.
func TestFull(t *testing.T) {
	dir := testkit.SmallDisk(t, "256k")
	if err := diskspace.Full(dir); err != nil {
		t.Errorf("an empty disk: %v", err)
	}
	empty := testkit.FillDisk(t, dir)
	if err := diskspace.Full(dir); err == nil {
		t.Error("a full disk is not full")
	}
	empty()
	for _, dir := range []string{dir, "", "/no such folder", "/proc"} {
		if err := diskspace.Full(dir); err != nil {
			t.Errorf("%q: %v", dir, err)
		}
	}
}
