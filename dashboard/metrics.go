package dashboard

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"camqtt/dashboard/internal/respond"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// metrics counts what this package does and shows it beside what others count. Label
// values are camera ids, the paths this package serves and status codes, so there
// are never more series than those.
type metrics struct {
	registry       *prometheus.Registry
	all            http.Handler // shows the registry
	requests       *prometheus.CounterVec
	streamSent     prometheus.Counter
	streamReplaced prometheus.Counter
	streamDropped  prometheus.Counter
}

func newMetrics(d *Dashboard) (*metrics, error) {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "camqtt_http_requests_total", Help: "HTTP requests that have ended.",
	}, []string{"path", "code"})
	all := []prometheus.Collector{
		m.requests, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newCameraCollector(d.opts.Viewer),
		&outsideCollector{broker: d.opts.Broker, cameras: d.opts.Viewer, version: d.opts.Version},
	}
	for _, c := range []struct {
		name, help string
		counter    *prometheus.Counter // of this type
		count      func() float64      // of another part
		gauge      bool                // it may go down
	}{
		{name: "http_stream_pictures_total", help: "Pictures sent in stream.mjpg.", counter: &m.streamSent},
		{
			name: "http_stream_replaced_total", help: "Pictures that gave way to newer ones in stream.mjpg.",
			counter: &m.streamReplaced,
		},
		{name: "http_stream_dropped_total", help: "Streams ended because the client accepted nothing.", counter: &m.streamDropped},
		{
			name: "http_connections", help: "Open connections, WebSockets included.", gauge: true,
			count: func() float64 { return float64(d.open.Counts().Open) },
		},
		{
			name: "http_connections_turned_away_total", help: "Connections refused or closed because too many were open.",
			count: func() float64 { return float64(d.open.Counts().TurnedAway) },
		},
		{name: "http_websockets", help: "Open WebSockets.", count: d.sockets.open.inUse, gauge: true},
		{name: "http_streams", help: "Open stream.mjpg.", count: d.streams.open.inUse, gauge: true},
		{
			name: "http_snapshots_waiting", help: "Requests that wait for a picture.",
			count: d.pictures.waiting.inUse, gauge: true,
		},
		{
			name: "ready", help: "1 while the broker can be reached.",
			count: func() float64 { return truth(d.opts.Ready()) }, gauge: true,
		},
	} {
		opts := prometheus.Opts{Name: "camqtt_" + c.name, Help: c.help}
		switch {
		case c.counter != nil:
			*c.counter = prometheus.NewCounter(prometheus.CounterOpts(opts))
			all = append(all, *c.counter)
		case c.gauge:
			all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts), c.count))
		default:
			all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts(opts), c.count))
		}
	}
	return m, m.register(all)
}

// register makes the handler that shows all collectors.
func (m *metrics) register(all []prometheus.Collector) error {
	for _, c := range all {
		if err := m.registry.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	m.all = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4,
	})
	return nil
}

// listOf is a fixed list of cameras.
type listOf []viewer.Camera

// Cameras returns the list.
func (l listOf) Cameras() []viewer.Camera { return l }

// serveCameraMetrics shows the figures of some cameras.
func serveCameraMetrics(w http.ResponseWriter, r *http.Request, cameras []viewer.Camera) {
	own := prometheus.NewRegistry()
	if err := own.Register(newCameraCollector(listOf(cameras))); err != nil {
		respond.Text(w, http.StatusInternalServerError, "the figures cannot be shown: %s", err)
		return
	}
	promhttp.HandlerFor(own, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
}

// count notes a request that has ended. What met no path counts as one.
func (m *metrics) count(r *http.Request, status int) {
	_, path, _ := strings.Cut(r.Pattern, " ")
	switch {
	case path == "":
		path = "other"
	case strings.Count(path, "/") == 1 && strings.Contains(path, "."), path == "/{$}":
		path = "page"
	}
	if status == 0 {
		status = http.StatusOK
	}
	m.requests.WithLabelValues(path, strconv.Itoa(status)).Inc()
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// outsideCollector shows the counters of other packages, and the version.
type outsideCollector struct {
	broker  func() []Counter
	cameras interface{ Cameras() []viewer.Camera }
	version string
}

// Describe names nothing: what the broker counts is known only when it is asked.
func (c *outsideCollector) Describe(chan<- *prometheus.Desc) {}

// Collect asks the broker.
func (c *outsideCollector) Collect(ch chan<- prometheus.Metric) {
	info := prometheus.NewDesc("camqtt_build_info", "Version of the program; the value is always 1.", nil,
		prometheus.Labels{"version": c.version, "go": runtime.Version()})
	ch <- prometheus.MustNewConstMetric(info, prometheus.GaugeValue, 1)
	if c.broker == nil {
		return
	}
	// A client can publish under invented cameras, and each would be a series.
	known := map[wire.ID]bool{}
	for _, cam := range c.cameras.Cameras() {
		known[cam.ID] = true
	}
	first := map[string]Counter{} // by name: all of one name must be of one form
	seen := map[string]bool{}
	for _, n := range c.broker() {
		f, named := first[n.Name]
		if !named {
			f = n
		}
		series := n.Name + " " + string(n.Camera)
		switch {
		case seen[series], !plainName(n.Name): // one bad name must not cost the others
			continue
		case n.Camera != "" && !known[n.Camera], (n.Camera == "") != (f.Camera == ""), n.Gauge != f.Gauge:
			continue
		}
		first[n.Name], seen[series] = f, true
		ch <- n.metric(f.Help)
	}
}

// metric is the counter as Prometheus has it.
func (c Counter) metric(help string) prometheus.Metric {
	kind := prometheus.CounterValue
	if c.Gauge {
		kind = prometheus.GaugeValue
	}
	if c.Camera == "" {
		return prometheus.MustNewConstMetric(prometheus.NewDesc("camqtt_"+c.Name, help, nil, nil), kind, c.Value)
	}
	return prometheus.MustNewConstMetric(prometheus.NewDesc("camqtt_"+c.Name, help, []string{"id"}, nil), kind, c.Value, string(c.Camera))
}

func plainName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
}
