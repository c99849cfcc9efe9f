package e2e

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// figure reads one series of /metrics; false where there is none.
func figure(t *testing.T, h *hub, series string) (float64, bool) {
	t.Helper()
	resp, err := http.Get(h.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{"tester-", "made-up", "127.0.0.1"} {
		if strings.Contains(string(body), private) {
			t.Errorf("%q is in /metrics", private)
		}
	}
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindSubmatch(body)
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v, true
}

// TestBrokerMetrics: /metrics says of each camera that the hub knows what the broker
// counts, of viewers only how many fare how, and nothing under a name made up by others.
func TestBrokerMetrics(t *testing.T) {
	t.Parallel()
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:64x48")
	online(t, h.mqtt, "porch")
	c := connect(t, h.mqtt, "porch")
	if err := c.Publish(t.Context(), wire.Message{Topic: "cam/made-up/frame", Payload: []byte("\xff\xd8\xff\xd9")}); err != nil {
		t.Fatal(err)
	}
	strays(t, h.mqtt) // one who is sent pictures
	if err := c.Publish(t.Context(), wire.Message{Topic: "cam/porch/cmd", Payload: []byte("snap"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	for series, want := range map[string]func(float64) bool{
		`camqtt_broker_camera_frames_in_total{id="porch"}`:              func(v float64) bool { return v == 3 || v == 4 }, // frame, preview, snapshot; the preview of the first picture
		`camqtt_broker_camera_bytes_in_total{id="porch"}`:               func(v float64) bool { return v > 300 },
		`camqtt_broker_camera_frames_delivered_total{id="porch"}`:       func(v float64) bool { return v >= 3 },
		`camqtt_broker_camera_bytes_delivered_total{id="porch"}`:        func(v float64) bool { return v > 300 },
		`camqtt_broker_camera_frames_replaced_total{id="porch"}`:        func(v float64) bool { return v == 0 },
		`camqtt_broker_camera_last_frame_timestamp_seconds{id="porch"}`: func(v float64) bool { return time.Since(time.UnixMilli(int64(v*1000))) < time.Minute },
		`camqtt_broker_viewers`:                                         func(v float64) bool { return v >= 1 },
		`camqtt_broker_viewers_waiting`:                                 func(v float64) bool { return v == 0 },
		`camqtt_broker_viewers_slow`:                                    func(v float64) bool { return v == 0 },
		`camqtt_broker_frames_in_total`:                                 func(v float64) bool { return v == 4 || v == 5 },
	} {
		testkit.Until(t, series+" is as it should be", func() bool {
			v, there := figure(t, h, series)
			return there && want(v)
		})
	}
}
