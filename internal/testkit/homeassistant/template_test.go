package homeassistant

import "testing"

func TestRender(t *testing.T) {
	const size = `{% set size = value_json.size | default(value_json.width ~ 'x' ~ value_json.height, true) %}{{ size if size in ['640x480', '320x240'] else none }}`
	const fps = `{% set fps = value_json.max_fps | default(0, true) %}{{ fps if 0.1 <= fps <= 30 else none }}`
	const problem = `{% set error = value_json.error or dict() %}{{ (dict(error, warning=value_json.warning) if value_json.warning | default(none) else error) | to_json }}`
	for _, c := range []struct{ template, payload, want string }{
		{"", "online", "online"},
		{"{{ 'online' if value == 'online' else 'offline' }}", "sleeping", "offline"},
		{"{{ 'ON' if value_json.error else 'OFF' }}", `{"error":{"code":"x"}}`, "ON"},
		{"{{ 'ON' if value_json.error else 'OFF' }}", `{"error":null}`, "OFF"},
		{"{{ value_json.fps | default(none) }}", `{"fps":2.5}`, "2.5"},
		{"{{ value_json.fps | default(none) }}", `{}`, "None"},
		{"{{ value_json.fps | default(none) }}", `{"fps":null}`, "None"},
		{"{{ (value_json.b | default(0, true)) / 1000 }}", `{"b":1500}`, "1.5"},
		{"{{ (value_json.b | default(0, true)) / 1000 }}", `{"b":null}`, "0"},
		{"{{ (value_json.error or {}) | to_json }}", `{"error":null}`, "{}"},
		{"{{ (value_json.error or {}) | to_json }}", `{"error":{"code":"x"}}`, `{"code":"x"}`},
		{"{{ value | int }}", "79.9", "79"},
		{problem, `{"error":null}`, "{}"},
		{problem, `{"error":{"code":"x"}}`, `{"code":"x"}`},
		{problem, `{"error":null,"warning":"w"}`, `{"warning":"w"}`},
		{problem, `{"error":{"code":"x"},"warning":"{{ 1 }}"}`, `{"code":"x","warning":"{{ 1 }}"}`},
		{size, `{"width":640,"height":480}`, "640x480"},
		{size, `{"width":640,"height":480,"size":"320x240"}`, "320x240"},
		{size, `{"width":1,"height":1}`, "None"},
		{fps, `{"max_fps":30}`, "30"},
		{fps, `{"max_fps":31}`, "None"},
		{fps, `{}`, "None"},
	} {
		if got, err := Render(c.template, []byte(c.payload)); err != nil || got != c.want {
			t.Errorf("%s for %s is %q, %v; want %q", c.template, c.payload, got, err, c.want)
		}
	}
	for _, c := range []struct{ template, payload string }{
		{"{{ value_json.a }}", "no json"},
		{"{{ value_json.a / 2 }}", `{"a":"x"}`},
		{"{{ 1 <= value_json.a }}", `{"a":"x"}`},
		{"{{ value | shout }}", "x"},
		{"{{ value", "x"},
		{"{{ value }}{{ value }}", "x"},
		{"{{ 'a' if value }}", "x"},
		{"{{ dict(value) }}", "x"},
		{"{{ dict(a=1 2) }}", "x"},
	} {
		if got, err := Render(c.template, []byte(c.payload)); err == nil {
			t.Errorf("%s for %s is %q, want an error", c.template, c.payload, got)
		}
	}
}
