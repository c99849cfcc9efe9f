package config

import (
	"slices"
	"strings"
	"testing"
)

// Every key whose meaning is a file, a folder or a socket is resolved.
func TestEveryPathIsResolved(t *testing.T) {
	cfg := &Config{Broker: &Broker{}, Dashboard: &Dashboard{}, Cameras: []Camera{{ID: "x"}}}
	var known []string
	for _, n := range paths(cfg) {
		known = append(known, strings.Replace(n.key, "cameras.x.", cameraPrefix, 1))
	}
	for _, k := range Keys() {
		isPath := false
		for _, word := range []string{"PEM file", "file with", "folder ", "Unix socket"} {
			isPath = isPath || strings.Contains(k.Meaning, word)
		}
		if k.Name == cameraPrefix+"source" || strings.Contains(k.Meaning, "_file is the better place") {
			continue
		}
		if isPath != slices.Contains(known, k.Name) {
			t.Errorf("%s: a path: %v, resolved: %v (%s)", k.Name, isPath, !isPath, k.Meaning)
		}
	}
}
