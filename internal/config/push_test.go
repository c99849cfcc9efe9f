package config_test

import (
	"fmt"
	"strings"
	"testing"

	"camqtt/internal/config"
)

// TestPush reads tokens and addresses of boards from a file, a token file and the environment,
// and shows none of the tokens.
func TestPush(t *testing.T) {
	const secret, other = "hunter2.hunter2", "hunter3.hunter3"
	read := files{
		"a.yaml": `
broker:
push: {listen: "192.168.1.10:8090", tcp: "192.168.1.10:3008", max_bytes: 2_000_000}
cameras:
  - {id: file, source: push, push_token_file: token}
  - {id: env, source: "push:?every=10m"}
  - {id: here, source: PUSH, push_from: "192.168.1.31, 10.1.2.3/8 ::ffff:10.9.9.9 fd00::1"}
  - {id: asked, source: "test:"}
`,
		"token": secret + "\n",
	}.read
	cfg := load(t, config.Options{ReadFile: read, Sources: []string{"a.yaml"}, Environ: []string{"CAMQTT_CAMERAS_ENV_PUSH_TOKEN=" + other}})
	if p := cfg.Push; p.Listen != "192.168.1.10:8090" || p.TCP != "192.168.1.10:3008" || p.MaxBytes != 2_000_000 || p.Connections != 64 {
		t.Errorf("push %+v", p)
	}
	var got []string
	for _, c := range cfg.Cameras {
		got = append(got, fmt.Sprint(c.ID, " ", c.Pushed(), " ", string(c.PushToken), " ", c.Networks()))
	}
	want := []string{
		"file true " + secret + " []", "env true " + other + " []",
		"here true  [192.168.1.31/32 10.0.0.0/8 10.9.9.9/32 fd00::1/128]", "asked false  []",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("cameras\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	shown, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%s%+v%#v", shown, cfg.Cameras, cfg.Cameras); strings.Contains(text, "hunter") {
		t.Errorf("a token is shown:\n%s", text)
	}
	if n := strings.Count(string(shown), "push_token: '***'"); n != 1 {
		t.Errorf("%d tokens are hidden, want that of the environment only:\n%s", n, shown)
	}
}
