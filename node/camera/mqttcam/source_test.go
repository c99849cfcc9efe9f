package mqttcam

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// What is written wrongly is refused, and no password is shown.
func TestOpenErrors(t *testing.T) {
	for source, want := range map[string]string{
		"mqtt:":                           "no topic given",
		"mqtt:a/+/b":                      "without + and #",
		"mqtt:a/#":                        "without + and #",
		"mqtt:cam":                        "below cam",
		"mqtt:cam/front/frame":            "below cam",
		"mqtt:a?every=x":                  "every",
		"mqtt:a?nope=1":                   "unknown key",
		"mqtt:a?broker=geheim":            "want a URL of mqtt",
		"mqtt:a?broker=http://u:geheim@h": "want a URL of mqtt",
	} {
		_, err := camera.Open(source, camera.Options{}, Kind())
		if camera.CodeOf(err) != camera.Config || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("Open(%q) = %v, want config with %q", source, err, want)
		}
	}
	if _, err := camera.Open("mqtt:site/a", camera.Options{Base: "site"}, Kind()); camera.CodeOf(err) != camera.Config {
		t.Errorf("a topic below the own base: %v, want config", err)
	}
	if _, err := camera.Open("mqtt:a", camera.Options{User: "u"}, Kind()); camera.CodeOf(err) != camera.Config {
		t.Errorf("a user without a broker: %v, want config", err)
	}
}

// Pictures come as they are, in base64 and as a data URL; what is none is counted as broken,
// and retained ones are left out.
func TestPictures(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	messages := []struct {
		payload  []byte
		retained bool
	}{
		{pic, true},
		{pic, false},
		{[]byte(base64.StdEncoding.EncodeToString(pic) + "\n"), false},
		{[]byte(base64.RawURLEncoding.EncodeToString(pic)), false},
		{[]byte("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(pic)), false},
		{[]byte("offline"), false},
		{nil, false},
		{pic[:len(pic)/2], false},
		{make([]byte, 1000), false},
	}
	subscribe := func(_ context.Context, s camera.Subscription) error {
		if s.Topic != "boards/porch" || s.Broker != "mqtt://host" {
			t.Errorf("subscribes to %q at %q", s.Topic, s.Broker)
		}
		for _, m := range messages {
			s.Receive(m.payload, m.retained)
		}
		return errors.New("the end")
	}
	s := cameratest.Open(t, "mqtt:boards/porch?broker=mqtt://host&every=10m&publish=always", camera.Options{Subscribe: subscribe}, Kind())
	if p := s.Profile(); p.Kind != "mqtt" || !p.Unasked || !p.Deliberate || p.Every != 10*time.Minute {
		t.Errorf("profile %+v", p)
	}
	e, got := cameratest.Fails(t, s, camera.Mode{})
	if e.Code != camera.NoCamera || !strings.Contains(e.Text, "the end") {
		t.Errorf("it ends with %v", e)
	}
	if len(got) != 4 {
		t.Errorf("got %d pictures, want 4", len(got))
	}
	for _, f := range got {
		if !bytes.Equal(f.JPEG, pic) {
			t.Errorf("got a picture of %d bytes, want that of %d", len(f.JPEG), len(pic))
		}
	}
	if n, why := s.(*camera.FrameValidator).Broken(); n != 4 {
		t.Errorf("%d broken pictures (%s), want 4", n, why)
	}
}

// A picture over the bound is not decoded.
func TestTooLarge(t *testing.T) {
	pic := testkit.JPEG(t, 320, 240, 1, 200)
	for _, payload := range [][]byte{pic, []byte(base64.StdEncoding.EncodeToString(pic))} {
		if _, err := decode(payload, 1000); err == nil || !strings.Contains(err.Error(), "larger than 1000 bytes") {
			t.Errorf("%v, want too large", err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("data:image/jpeg;base64,/9j/"))
	f.Add([]byte{0xff, 0xd8, 0xff})
	f.Add([]byte("-_=="))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if b, err := decode(payload, 100); err == nil && len(b) > 100 {
			t.Errorf("%d bytes, want at most 100", len(b))
		}
	})
}
