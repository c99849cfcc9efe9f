package kinds

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"camqtt/node/camera"
)

// example is a source of a kind that holds nothing but what must be there.
func example(k camera.Kind) string {
	switch k.Scheme {
	case "dir":
		return "dir:/srv/pictures"
	case "exec":
		return "exec:true"
	case "http", "https":
		return k.Scheme + "://127.0.0.1/x.jpg"
	case "mqtt":
		return "mqtt:boards/porch"
	case "ffmpeg":
		return "ffmpeg:rtsp://127.0.0.1/1"
	}
	return k.Scheme + ":"
}

// separator is what stands before the options of a kind.
func separator(k camera.Kind) string {
	if k.Separator == "" {
		return "#"
	}
	return k.Separator
}

// Every kind takes timeout=, and has a default for it.
func TestEveryKindTakesTimeout(t *testing.T) {
	for _, k := range All() {
		source := example(k)
		if p := open(t, source, camera.Options{}).Profile(); k.Timeout == 0 || p.FirstFrame != 0 && p.FirstFrame < k.Timeout {
			t.Errorf("%s: the first picture may take %v, want a default", source, p.FirstFrame)
		}
		for text, want := range map[string]time.Duration{"timeout=90s": 90 * time.Second, "timeout=2m": 2 * time.Minute} {
			p := open(t, source+separator(k)+text, camera.Options{}).Profile()
			if more := p.FirstFrame - want; more < 0 || more > 10*time.Second {
				t.Errorf("%s: the first picture may take %v with %s", source, p.FirstFrame, text)
			}
		}
		for _, text := range []string{"timeout=0s", "timeout=6m", "timeout=x", "timeout=9s&timeout=8s"} {
			if _, err := Open(source+separator(k)+text, camera.Options{}); camera.CodeOf(err) != camera.Config {
				t.Errorf("%s with %s: %v, want config", source, text, err)
			}
		}
	}
}

// Every option that the table lists is one that the kind knows.
func TestKindsKnowTheirOptions(t *testing.T) {
	for _, k := range All() {
		for _, option := range k.Options {
			_, err := Open(example(k)+separator(k)+option+"=%21", camera.Options{})
			if err != nil && strings.Contains(err.Error(), "unknown") {
				t.Errorf("%s: %s: %v", k.Scheme, option, err)
			}
		}
	}
}

// The table in the documentation has a row for each kind, with what it is and its
// usual timeout.
func TestKindsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/cameras.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range All() {
		timeout := strings.Replace(k.Timeout.String(), "m0s", "m", 1)
		found := false
		for line := range strings.Lines(string(text)) {
			found = found || strings.HasPrefix(line, "| `"+k.Scheme) && strings.HasSuffix(line, fmt.Sprintf("| %s | %s |\n", k.Summary, timeout))
		}
		if !found {
			t.Errorf("no row in docs/cameras.md says %s, %q, %s", k.Scheme, k.Summary, timeout)
		}
	}
}
