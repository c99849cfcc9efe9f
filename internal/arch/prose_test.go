package arch

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

const maxWidth, maxTestFile = 120, 400

// textFiles visits the text files of the project, line by line.
func textFiles(t *testing.T, visit func(path string, lines []string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && (name == ".git" || name == "node_modules" || name == "testdata" || name == "dist"):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		switch filepath.Ext(path) {
		case ".go", ".md", ".js", ".mjs", ".css", ".html", ".yaml", ".yml", ".conf", ".service":
		default:
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		visit(path, strings.Split(string(text), "\n"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// prose returns the lines of a file that are read as text: in documents all but code,
// tables and pictures, elsewhere comments that stand alone.
func prose(path string, lines []string) map[int]string {
	all, code := map[int]string{}, false
	for i, line := range lines {
		text := strings.TrimSpace(line)
		switch {
		case filepath.Ext(path) == ".md":
			if strings.HasPrefix(text, "```") {
				code = !code
			}
			if code || strings.HasPrefix(text, "|") || strings.HasPrefix(text, "![") || strings.HasPrefix(text, "```") {
				continue
			}
		case strings.Contains(text, "@"): // a type of the page, or an address
			continue
		case !strings.HasPrefix(text, "//") && !strings.HasPrefix(text, "#") &&
			!strings.HasPrefix(text, "* ") && !strings.HasPrefix(text, "/*"):
			continue
		}
		all[i+1] = line
	}
	return all
}

// TestProseIsNarrow wants lines that can be broken to be broken.
func TestProseIsNarrow(t *testing.T) {
	textFiles(t, func(path string, lines []string) {
		var found []string
		for i, line := range prose(path, lines) {
			indent := len(line) - len(strings.TrimLeft(line, " \t"))
			words := strings.Fields(line)
			if n := utf8.RuneCountInString(line); n > maxWidth && len(words) > 1 && indent+len(words[0]) < maxWidth {
				found = append(found, fmt.Sprintf("%s:%d: %d characters wide", path, i, n))
			}
		}
		if len(found) > 0 {
			t.Errorf("lines are wider than %d characters:\n%s", maxWidth, strings.Join(found, "\n"))
		}
	})
}

// TestTestsAreShort bounds the files of tests; TestHouseRules bounds the rest.
func TestTestsAreShort(t *testing.T) {
	textFiles(t, func(path string, lines []string) {
		if n := len(lines) - 1; strings.HasSuffix(path, "_test.go") && n > maxTestFile {
			t.Errorf("%s has %d lines: want at most %d", path, n, maxTestFile)
		}
	})
}
