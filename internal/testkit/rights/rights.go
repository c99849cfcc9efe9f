// Package rights is the table of who may do what, written out by hand, to which the
// rights of every broker are held. It owns the table and the accounts that are its
// columns. Nothing but tests imports it, and it asks no other package what is allowed.
package rights

import (
	_ "embed"
	"strings"
	"testing"

	"camqtt/internal/access"
	"camqtt/internal/wire"
)

//go:embed rights.txt
var text string

// Table returns what rights.txt says: topics in their order, and for each topic and
// column the letters of what is allowed.
func Table(t testing.TB) (topics []string, table map[string]map[string]string) {
	t.Helper()
	var head []string
	table = map[string]map[string]string{}
	for line := range strings.Lines(text) {
		cells := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "#"):
		case head == nil:
			head = cells
		case len(cells) != len(head):
			t.Fatalf("row %q has %d cells, want %d", cells[0], len(cells), len(head))
		default:
			topics = append(topics, cells[0])
			table[cells[0]] = map[string]string{}
			for i, c := range cells[1:] {
				table[cells[0]][head[i+1]] = c
			}
		}
	}
	return topics, table
}

// Accounts are the columns that have an account, which has the column's name.
func Accounts() []access.Account {
	front, both := []wire.ID{"front"}, []wire.ID{"front", "side"}
	return []access.Account{
		{Name: "camera", Role: access.Camera, Cameras: front},
		{Name: "bridge", Role: access.Bridge, Cameras: both},
		{Name: "viewer1", Role: access.Viewer, Cameras: front},
		{Name: "viewer", Role: access.Viewer, All: true},
		{Name: "operator1", Role: access.Operator, Cameras: front},
		{Name: "operator", Role: access.Operator, All: true},
		{Name: "hass1", Role: access.HomeAssistant, Cameras: front},
		{Name: "hass", Role: access.HomeAssistant, All: true},
		{Name: "admin", Role: access.Admin},
	}
}
