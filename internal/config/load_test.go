package config_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camqtt/internal/config"
)

// scene is one part of testdata/problems.txt: named texts in their order.
type scene struct {
	name  string
	parts []part
}

type part struct{ name, text string }

func (s scene) part(name string) string {
	for _, p := range s.parts {
		if p.name == name {
			return p.text
		}
	}
	return ""
}

// options makes sources of the parts that end in .yaml and of the lines of
// "args"; all parts can be read as files.
func (s scene) options() config.Options {
	o := config.Options{
		Environ: lines(s.part("env")),
		ReadFile: func(name string) ([]byte, error) {
			for _, p := range s.parts {
				if p.name == name {
					return []byte(p.text), nil
				}
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
	}
	for _, p := range s.parts {
		if strings.HasSuffix(p.name, ".yaml") {
			o.Sources = append(o.Sources, p.name)
		}
	}
	o.Sources = append(o.Sources, lines(s.part("args"))...)
	return o
}

func lines(s string) []string {
	if s = strings.TrimSuffix(s, "\n"); s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// readScenes reads "=== name" followed by parts, each "-- name --" and its text.
func readScenes(t *testing.T, file string) (scenes []scene) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		bare := strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(bare, "=== "); ok {
			scenes = append(scenes, scene{name: name})
			continue
		}
		if len(scenes) == 0 {
			continue // a note at the top
		}
		s := &scenes[len(scenes)-1]
		if name, ok := strings.CutPrefix(bare, "-- "); ok {
			s.parts = append(s.parts, part{name: strings.TrimSuffix(name, " --")})
		} else if len(s.parts) > 0 {
			s.parts[len(s.parts)-1].text += line
		}
	}
	return scenes
}

var update = flag.Bool("update", false, "write testdata/problems.txt anew, to be read before it is kept")

func TestProblems(t *testing.T) {
	file := filepath.Join("testdata", "problems.txt")
	for _, s := range readScenes(t, file) {
		t.Run(s.name, func(t *testing.T) {
			_, err := config.Load(s.options())
			if err == nil {
				t.Fatalf("loads, want:\n%s", s.part("want"))
			}
			var problems config.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error %T %v, want Problems", err, err)
			}
			got := problems.Error() + "\n"
			if *update {
				rewrite(t, file, s, got)
			} else if got != s.part("want") {
				t.Errorf("got:\n%swant:\n%s", got, s.part("want"))
			}
		})
	}
}

// rewrite puts what a scene has come to into its file.
func rewrite(t *testing.T, file string, s scene, got string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut("\n"+string(b), "\n=== "+s.name+"\n")
	body := strings.Replace(rest, "-- want --\n"+s.part("want"), "-- want --\n"+got, 1)
	if err := os.WriteFile(file, []byte((head + "\n=== " + s.name + "\n" + body)[1:]), 0o644); err != nil {
		t.Fatal(err)
	}
}
