package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReadme holds the README to the program: commands and flags that it names
// exist, and so do the files.
func TestReadme(t *testing.T) {
	text := string(read(t, "README.md"))
	for _, m := range regexp.MustCompile(`\]\(([^)#]+)\)|(configs/[a-z-]+\.yaml)`).FindAllStringSubmatch(text, -1) {
		if path := m[1] + m[2]; !strings.HasPrefix(path, "http") {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("README names %s: %v", path, err)
			}
		}
	}
	for _, path := range regexp.MustCompile(`configs/[a-z-]+\.yaml`).FindAllString(text, -1) {
		must(t, "check", "-c", path)
	}
	help := map[string]string{}
	for _, m := range regexp.MustCompile("(?:\\./camqtt|camqtt|go run \\.) ([a-z]+)([^`\n#&]*)").FindAllStringSubmatch(text, -1) {
		cmd := m[1]
		if _, known := help[cmd]; !known {
			out, stderr, status := camqtt(t, cmd, "--help")
			if status != 0 || !strings.Contains(string(out), "camqtt "+cmd) {
				continue // prose, such as "camqtt is"
			}
			help[cmd] = string(out) + stderr
		}
		for _, flag := range regexp.MustCompile(`(?:^| )(--?[a-z-]+)`).FindAllStringSubmatch(strings.Split(m[2], "|")[0], -1) {
			if !strings.Contains(help[cmd], flag[1]) {
				t.Errorf("README uses %s with %s, which it does not take", cmd, flag[1])
			}
		}
	}
	for _, cmd := range strings.Fields("demo run node check detect ls snap watch start acl forget key version") {
		if help[cmd] == "" {
			t.Errorf("README does not show camqtt %s", cmd)
		}
	}
}
