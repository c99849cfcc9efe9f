// Package mqttcam is the kind of cameras that publish their pictures on an MQTT topic by
// themselves.
package mqttcam

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/mjpeg"
	"camqtt/node/camera/sourceurl"
)

// source is "mqtt:TOPIC", or "mqtt:TOPIC?broker=URL&every=10m&publish=always".
type source struct {
	mjpeg.StatusReport
	topic, broker string
	mode          camera.PushMode
	subscribe     camera.Subscribe
	max           int
	redact        redact.Redactor
}

// maxTopic is the length of a topic (MQTT 3.1.1, 1.5.3), in bytes.
const maxTopic = 65535

// Kind is the row of the table of kinds.
func Kind() camera.Kind {
	return camera.Kind{
		Scheme: "mqtt", Form: "mqtt:topic",
		Summary: "pictures that a board or a program publishes on a topic",
		Options: append([]string{"broker"}, camera.PushOptions()...), Separator: "?", Timeout: camera.PushFirst,
		Check: camera.CheckFull, Login: true, Open: open,
	}
}

func open(rest string, o camera.Options) (camera.Source, error) {
	topic, query, _ := strings.Cut(rest, "?")
	show := redact.Line(topic)
	s := &source{topic: topic, subscribe: o.Subscribe, max: o.MaxPicture, redact: redact.New("mqtt:"+rest, o.Password)}
	base := o.Base
	if base == "" {
		base = "cam"
	}
	switch {
	case topic == "":
		return nil, camera.ConfigError("source mqtt: no topic given: want such as mqtt:boards/porch/jpeg")
	case len(topic) > maxTopic || strings.ContainsAny(topic, "+#\x00"):
		return nil, camera.ConfigError("source mqtt:%s: want one topic, without + and #", show)
	case topic == base || strings.HasPrefix(topic, base+"/"):
		return nil, camera.ConfigError("source mqtt:%s: the topic is below %s, which this program publishes itself: want another", show, base)
	}
	if err := sourceurl.EachOption(query, func(x sourceurl.Option) (string, error) {
		if x.Key != "broker" {
			return x.Key, s.mode.Set(x.Key, x.Value)
		}
		s.broker = x.Value
		if scheme, host, ok := strings.Cut(x.Value, "://"); !ok || host == "" || !slices.Contains(brokerSchemes(), scheme) {
			return x.Key, fmt.Errorf("broker: want a URL of %s", strings.Join(brokerSchemes(), ", "))
		}
		return x.Key, nil
	}); err != nil {
		return nil, camera.ConfigError("source mqtt:%s: %v", show, err)
	}
	if o.User != "" && s.broker == "" {
		return nil, camera.ConfigError("source mqtt:%s: user and password_file are for another broker: want ?broker=URL", show)
	}
	return s, nil
}

func brokerSchemes() []string { return []string{"mqtt", "mqtts", "ws", "wss"} }

// Profile says that the camera sends when it likes.
func (s *source) Profile() camera.Profile { return s.mode.Profile("mqtt", "MQTT camera") }

// Stream emits the pictures that come until ctx is done.
func (s *source) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	if err := m.Check(); err != nil {
		return err
	}
	if s.subscribe == nil {
		return camera.ConfigError("source mqtt:%s: there is no broker to subscribe at", redact.Line(s.topic))
	}
	var count atomic.Int64
	s.Set(func() string {
		return fmt.Sprintf("topic %s has brought %d messages", redact.Line(s.topic), count.Load())
	})
	defer s.Set(nil)
	err := s.subscribe(ctx, camera.Subscription{Broker: s.broker, Topic: s.topic, Receive: func(payload []byte, retained bool) {
		if retained || ctx.Err() != nil { // nothing says when a retained picture was taken
			return
		}
		count.Add(1)
		f := camera.Frame{At: time.Now()}
		if f.JPEG, f.Damage = decode(payload, s.max); f.Damage != nil {
			f.JPEG = nil
		}
		emit(f)
	}})
	if ctx.Err() != nil || err == nil {
		return nil
	}
	return &camera.Error{Code: camera.NoCamera, Text: s.redact.Line("subscribe to " + s.topic + ": " + err.Error()), Err: err}
}

// decode returns the JPEG in a message: as it is, or in base64, also as a data URL.
func decode(payload []byte, most int) ([]byte, error) {
	text := bytes.TrimSpace(payload)
	if bytes.HasPrefix(text, []byte("data:")) {
		_, text, _ = bytes.Cut(text, []byte(","))
	}
	switch {
	case bytes.HasPrefix(payload, []byte{0xff, 0xd8}):
		text = bytes.Clone(payload)
	case base64.StdEncoding.DecodedLen(len(text)) > most+2:
		return nil, fmt.Errorf("the picture is larger than %s", camera.ByteCount(most))
	default:
		plain := bytes.TrimRight(bytes.Map(func(r rune) rune {
			if i := strings.IndexRune("-_", r); i >= 0 { // the alphabet for URLs
				return rune("+/"[i])
			}
			return r
		}, text), "=")
		b := make([]byte, base64.RawStdEncoding.DecodedLen(len(plain)))
		n, err := base64.RawStdEncoding.Decode(b, plain)
		if err != nil || n == 0 {
			return nil, errors.New("neither a JPEG nor one in base64")
		}
		text = b[:n]
	}
	if len(text) > most {
		return nil, fmt.Errorf("the picture is larger than %s", camera.ByteCount(most))
	}
	return text, nil
}
