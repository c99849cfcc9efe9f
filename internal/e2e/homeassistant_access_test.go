package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/homeassistant"
)

// TestHomeAssistantWithAccounts: nobody comes in without an account. The camera's
// own is enough for it, for the hub announces it; Home Assistant's role is enough
// for all that Home Assistant does. A name is a text there, never a template.
func TestHomeAssistantWithAccounts(t *testing.T) {
	t.Parallel()
	for _, v5 := range []bool{true, false} {
		t.Run(map[bool]string{true: "MQTT 5", false: "MQTT 3.1.1"}[v5], func(t *testing.T) {
			data := t.TempDir()
			word := secretOf(t, "user", "add", "homeassistant", "--role", "homeassistant", "--data", data)
			token := secretOf(t, "user", "add", "front", "--role", "camera", "--data", data)
			h := withAccounts(t, data)
			p := &place{addr: strings.TrimPrefix(h.mqtt, "mqtt://"), stop: h.kill, back: h.start}
			secret := filepath.Join(t.TempDir(), "front.token")
			if err := os.WriteFile(secret, []byte(token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			const name = "{{ 1+1 }}"
			camera := p.camera(t, "front", "name="+name, "mqtt.username=front", "mqtt.password_file="+secret)
			home := homeassistant.Start(t, homeassistant.Options{Addr: p.addr, User: "homeassistant", Password: word, V5: v5})
			home.Await("switch.front_live", "off")
			if got, want := ofCamera(home, "front"), everything("front"); !slices.Equal(got, want) {
				t.Errorf("entities %v, want %v", got, want)
			}
			if d := home.Devices()["camqtt_front"]; d.Name != name {
				t.Errorf("device %+v, want the name %s", d, name)
			}
			useAll(t, home)
			home.Restart() // its birth message is answered, which takes the right to publish it
			home.Await("switch.front_live", "off")

			p.stop()
			p.back()
			home.Restart()
			home.Await("switch.front_live", "off")
			expect(t, home.Press("button.front_snap"), "cam/front/cmd", "snap")

			interrupt(t, camera)
			home.Await("camera.front", homeassistant.Unavailable)
			for _, line := range strings.Split(camera.Err(), "\n") {
				if strings.Contains(line, "homeassistant/") || strings.Contains(line, "home assistant") && strings.Contains(line, "level=WARN") {
					t.Errorf("the camera minds that it may not announce itself: %s", line)
				}
			}
		})
	}
}

// TestTokensOfStreams: every form of token that the page names works for stills
// and streams, as Generic Camera, MJPEG IP Camera and go2rtc send it, and nothing
// works without or with a wrong one.
func TestTokensOfStreams(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+data, "broker.anonymous=never", "cameras.front.source=test:", "cameras.attic.source=test:")
	token := secretOf(t, "user", "add", "tablet", "--role", "viewer", "--camera", "front", "--token", "--data", data)
	home := secretOf(t, "user", "add", "homeassistant", "--role", "homeassistant", "--data", data)
	ready(t, h, "homeassistant", home)
	gives(t, h.http, "front", "homeassistant", home)
	for user, token := range map[string]string{"tablet": token, "homeassistant": home} {
		for form, with := range map[string]struct {
			query string
			login func(*http.Request)
			args  []string // of ffmpeg, which plays as go2rtc does
		}{
			"header": {login: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }, args: []string{"-headers", "Authorization: Bearer " + token + "\r\n"}},
			"basic":  {login: func(r *http.Request) { r.SetBasicAuth(user, token) }},
			"query":  {query: "token=" + token},
		} {
			t.Run(user+" "+form, func(t *testing.T) {
				for _, path := range []string{"/cam/front/snapshot.jpg", "/cam/front/snapshot.jpg?max_age=5s", "/cam/front/stream.mjpg", "/cam/front/stream.mjpg?fps=10"} {
					url := h.http + path
					if with.query != "" {
						url += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + with.query
					}
					kind := map[bool]string{true: "image/jpeg", false: "multipart/x-mixed-replace"}[strings.Contains(path, "snapshot")]
					if status, got := ask(t, url, with.login); status != 200 || !strings.HasPrefix(got, kind) {
						t.Errorf("%s: %d %s, want 200 %s", path, status, got, kind)
					}
					if !strings.Contains(path, "stream") {
						continue
					}
					if form == "basic" {
						url = as(url, user, token)
					}
					out, stderr, status := testkit.Run(t, testkit.Tool(t, "ffmpeg"), slices.Concat([]string{"-loglevel", "error"}, with.args,
						[]string{"-f", "mpjpeg", "-i", url, "-frames:v", "3", "-f", "framecrc", "-"})...)
					if n := strings.Count(string(out), "\n0,"); status != 0 || n != 3 {
						t.Errorf("ffmpeg plays %d pictures of %s: exit %d %s", n, path, status, stderr)
					}
				}
			})
		}
	}
	for path, want := range map[string]int{
		"/cam/front/snapshot.jpg": 401, "/cam/front/stream.mjpg": 401,
		"/cam/front/snapshot.jpg?token=camqtt_wrong": 401, "/cam/front/stream.mjpg?token=camqtt_wrong": 401,
		"/cam/attic/snapshot.jpg?token=" + token: 403, "/cam/attic/stream.mjpg?token=" + token: 403,
	} {
		if status, _ := ask(t, h.http+path, nil); status != want {
			t.Errorf("%s: %d, want %d", strings.ReplaceAll(path, token, "TOKEN"), status, want)
		}
	}
	for _, secret := range []string{token, home} {
		if strings.Contains(h.p.Err(), secret) {
			t.Error("a token is in the log")
		}
	}
}

// ask gets the head of an answer and hangs up.
func ask(t *testing.T, url string, login func(*http.Request)) (status int, kind string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if login != nil {
		login(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Content-Type")
}
