package access_test

import (
	"path/filepath"
	"testing"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
)

// TestRemoveOnFullDisk removes an account where there is no room for another byte: nobody
// must stay in because of a full disk.
func TestRemoveOnFullDisk(t *testing.T) {
	dir := testkit.SmallDisk(t, "256k")
	file := filepath.Join(dir, "accounts.json")
	for _, name := range []string{"ann", "bob", "eve"} {
		if _, err := access.Add(file, viewer(name), "a good long password"); err != nil {
			t.Fatal(err)
		}
	}
	testkit.FillDisk(t, dir)
	for _, name := range []string{"ann", "bob", "eve"} {
		if err := access.Remove(file, name); err != nil {
			t.Errorf("remove %s: %v", name, err)
		}
		all, err := access.List(file)
		for _, a := range all {
			if err != nil || a.Name == name {
				t.Errorf("%s is still there: %v", name, err)
			}
		}
	}
}
