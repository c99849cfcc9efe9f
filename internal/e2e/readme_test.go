package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme compares the README, the pages in docs and the texts of the page with the
// program: commands and flags that they name exist, and so do linked files and headings.
func TestReadme(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) < 5 {
		t.Fatalf("pages %q, %v", pages, err)
	}
	help, checked := map[string]string{}, map[string]bool{}
	scripts, err := filepath.Glob("dashboard/web/*.js")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts of the page %q, %v", scripts, err)
	}
	for _, script := range scripts {
		commands(t, script, string(read(t, script)), help)
	}
	for _, page := range append(pages, "README.md", "SECURITY.md") {
		text := string(read(t, page))
		links(t, page, text)
		for _, path := range regexp.MustCompile(`configs/[a-z-]+\.yaml`).FindAllString(text, -1) {
			if !checked[path] {
				must(t, "check", "-c", path)
			}
			checked[path] = true
		}
		commands(t, page, text, help)
	}
	readme, list := string(read(t, "README.md")), string(read(t, "docs/commands.md"))
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+) +[A-Z]`).FindAllStringSubmatch(must(t, "--help"), -1) {
		if cmd := m[1]; cmd != "help" && !strings.Contains(list, "`camqtt "+cmd) {
			t.Errorf("docs/commands.md does not list camqtt %s", cmd)
		}
	}
	for _, page := range pages {
		if !strings.Contains(readme, "]("+page+")") {
			t.Errorf("README does not lead to %s", page)
		}
	}
}

// links follows the links of a page to files, and to headings in them.
func links(t *testing.T, page, text string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`).FindAllStringSubmatch(text, -1) {
		path, heading := filepath.Join(filepath.Dir(page), m[1]), m[2]
		switch {
		case strings.HasPrefix(m[1], "http"):
			continue
		case m[1] == "":
			path = page
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s leads to %s: %v", page, m[1], err)
			continue
		}
		if heading == "" {
			continue
		}
		found := false
		for _, h := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(read(t, path)), -1) {
			found = found || strings.ToLower(strings.ReplaceAll(h[1], " ", "-")) == heading
		}
		if !found {
			t.Errorf("%s leads to %s#%s, which has no such heading", page, m[1], heading)
		}
	}
}

// commands checks the commands of a page, and remembers what each says of itself.
func commands(t *testing.T, page, text string, help map[string]string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?:\\./camqtt|camqtt|go run \\.) ([a-z]+)([^`\n#&>;]*)").FindAllStringSubmatch(text, -1) {
		cmd := m[1]
		if _, known := help[cmd]; !known {
			out, stderr, status := camqtt(t, cmd, "--help")
			if status != 0 || !strings.Contains(string(out), "camqtt "+cmd) {
				continue // prose, such as "camqtt is"
			}
			if cmd == "user" {
				out = append(out, must(t, "user", "add", "--help")...)
			}
			help[cmd] = string(out) + stderr
		}
		for _, flag := range regexp.MustCompile(`(?:^| )(--?[a-z-]+)`).FindAllStringSubmatch(strings.Split(m[2], "|")[0], -1) {
			if !strings.Contains(help[cmd], flag[1]) {
				t.Errorf("%s uses %s with %s, which it does not take", page, cmd, flag[1])
			}
		}
	}
}

// TestConfigsNameFiles: what the comments of a configuration lead to is there.
func TestConfigsNameFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("configs/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("configurations %q, %v", files, err)
	}
	for _, file := range files {
		for _, m := range regexp.MustCompile(`(?m)^ *#.*`).FindAllString(string(read(t, file)), -1) {
			for _, name := range regexp.MustCompile(`(?:[A-Za-z]+/)?[a-z-]+\.(?:yaml|md)\b`).FindAllString(m, -1) {
				if strings.HasPrefix(name, "DIR/") { // the reader's own
					continue
				}
				if !strings.Contains(name, "/") && strings.HasSuffix(name, ".yaml") {
					name = "configs/" + name
				}
				if _, err := os.Stat(name); err != nil {
					t.Errorf("%s leads to %s: %v", file, name, err)
				}
			}
		}
	}
}
