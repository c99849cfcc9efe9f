package dashboard

import (
	"sync/atomic"

	"camqtt/dashboard/internal/brokerproxy"
)

// RemoteOptions says which broker browsers are joined to.
type RemoteOptions = brokerproxy.Options

// RemoteCounts counts what [Remote] does. The zero value is ready for use.
type RemoteCounts = brokerproxy.Counts

// Remote returns an Attach that joins browsers to a broker elsewhere.
func Remote(o RemoteOptions) Attach { return brokerproxy.New(o) }

// RemoteCounters returns counts for [Options].Broker.
func RemoteCounters(c *RemoteCounts) []Counter {
	var all []Counter
	for _, row := range []struct {
		name, help string
		value      *atomic.Int64
		gauge      bool
	}{
		{"connections", "Browsers joined to the broker.", &c.Open, true},
		{"dial_failures_total", "Browsers for whom the broker could not be reached.", &c.DialFailures, false},
		{"replaced_total", "Pictures that gave way to newer ones.", &c.Replaced, false},
		{"packets_total", "MQTT packets sent to browsers.", &c.Packets, false},
		{"bytes_total", "Bytes of MQTT packets sent to browsers.", &c.Bytes, false},
	} {
		all = append(all, Counter{
			Name: "remote_" + row.name, Help: row.help, Value: float64(row.value.Load()), Gauge: row.gauge,
		})
	}
	return all
}
