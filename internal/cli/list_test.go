package cli

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"camqtt/internal/access"
	"camqtt/internal/app"
)

// Every flag that takes several values at once refuses what it would have to drop or guess.
func TestListsRefuse(t *testing.T) {
	// As help texts show them; the library calls strings what it reads as CSV.
	taken := regexp.MustCompile(`(?m)^.*--(\S+) (names|strings) `)
	lists := 0
	var walk func(c *cobra.Command, path []string)
	walk = func(c *cobra.Command, path []string) {
		for _, m := range taken.FindAllStringSubmatch(c.Flags().FlagUsages(), -1) {
			flag := strings.Join(path, " ") + " --" + m[1]
			if m[2] == "strings" {
				t.Errorf("%s reads CSV, which ends at a line break: want listFlag", flag)
			}
			lists++
			for _, value := range []string{"porch\ngarden", "porch,garden\n", "porch\r,garden", "porch,\x00", "", "porch,", ",porch", "porch,,garden"} {
				code, text := ran(t, append(slices.Clone(path), "--"+m[1], value)...)
				for _, want := range []string{"--" + m[1], "want", "Try: "} {
					if code != exitUsage || !strings.Contains(text, want) {
						t.Errorf("%s %q: exit %d: %s want exit 2 and %q", flag, value, code, text, want)
					}
				}
			}
		}
		for _, sub := range c.Commands() {
			walk(sub, append(slices.Clone(path), sub.Name()))
		}
	}
	walk((&env{}).root(), nil)
	if lists != 3 {
		t.Errorf("%d flags are lists, want --camera of user add and user set, and --address", lists)
	}
}

// A line break in the ids must not make an account for some of them.
func TestUserOfBrokenLines(t *testing.T) {
	data := t.TempDir()
	code, text := ran(t, "user", "add", "guest", "--camera", "porch\ngarden", "--data", data)
	if code != exitUsage || !strings.Contains(text, `"porch\ngarden"`) || !strings.Contains(text, "want names with commas between") {
		t.Errorf("exit %d: %s", code, text)
	}
	if all, err := access.List(app.AccountsFile(data)); err != nil || len(all) != 0 {
		t.Errorf("accounts %v, %v: want none", all, err)
	}
	if code, text := ran(t, "user", "add", "guest", "--camera", "porch,garden", "--camera", "yard", "--data", data); code != exitOK {
		t.Fatalf("exit %d: %s", code, text)
	}
	if all, err := access.List(app.AccountsFile(data)); err != nil || len(all) != 1 || all[0].Of() != "porch garden yard" {
		t.Errorf("accounts %v, %v: want one of porch, garden and yard", all, err)
	}
}

// ran runs a command and returns its exit status and all that it printed.
func ran(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := Main(t.Context(), Process{Args: append([]string{"camqtt"}, args...), Stdout: &out, Stderr: &out})
	return code, out.String()
}
