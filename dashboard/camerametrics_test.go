package dashboard

import (
	"testing"
	"time"

	"camqtt/internal/wire"
)

func TestMetricsOfANode(t *testing.T) {
	f := newFake()
	c := online("porch")
	signal := -61
	c.Stats = wire.Stats{TS: wire.At(time.Now()), Every: 30, Bytes: 5, Commands: 9, Memory: 1 << 20, Signal: &signal}
	f.set(c)
	s := serve(t, Options{Viewer: f})
	resp, body := ask(t, "GET", s.url+"/metrics")
	wantAnswer(t, resp, body, 200, `camqtt_camera_commands_total{id="porch"} 9`, `camqtt_camera_memory_bytes{id="porch"} 1.048576e+06`,
		`camqtt_camera_signal_dbm{id="porch"} -61`, `camqtt_camera_bytes_total{id="porch"} 5`)
}
