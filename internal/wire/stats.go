package wire

// Stats is a camera's heartbeat, on cam/<id>/stats. Counters begin at 0 when
// the node starts.
type Stats struct {
	TS             Time     `json:"ts"`
	Instance       string   `json:"instance"` // as in info
	Every          float64  `json:"every"`    // seconds until the next; three missed make a camera lost
	Uptime         int64    `json:"uptime"`   // seconds
	FPS            float64  `json:"fps"`      // pictures per second sent since the last stats
	BytesPerSecond int64    `json:"bytes_per_second"`
	Captured       uint64   `json:"captured"`  // whole pictures that came from the camera
	Sent           uint64   `json:"sent"`      // pictures published on frame
	Snapshots      uint64   `json:"snapshots"` // deliberate pictures published
	Bytes          uint64   `json:"bytes"`     // of pictures published on frame
	Replaced       uint64   `json:"replaced"`  // gave way to a newer picture
	Unsent         uint64   `json:"unsent"`    // dropped because the broker was out of reach
	Broken         uint64   `json:"broken"`    // not whole JPEGs
	TooLarge       uint64   `json:"too_large"` // over max_image_bytes
	Commands       uint64   `json:"commands"`
	Unanswered     uint64   `json:"unanswered"` // commands that were not answered, because too many came at once
	Reconnects     uint64   `json:"reconnects"`
	Restarts       uint64   `json:"restarts"`         // of the camera after a fault
	Temperature    *float64 `json:"temperature"`      // of the processor, degrees Celsius; null where unknown
	Memory         uint64   `json:"memory"`           // of the process, bytes obtained from the system
	Signal         *int     `json:"signal,omitempty"` // of the wireless network, dBm
}

// Statistic is all that is fixed of one number in [Stats]. Adding a counter is a row here and
// its field above, the place in the node that counts, and its key in topics.md.
type Statistic struct {
	Name    string // key in stats
	Metric  string // in /metrics, after camqtt_camera_; counters end in _total
	Help    string // in /metrics
	Sensor  string // name of the entity in Home Assistant; "" is none
	Value   func(*Stats) float64
	Unknown func(*Stats) bool // the camera does not tell; nil: it always does
}

// Statistics returns every number of [Stats], in its order.
func Statistics() []Statistic {
	return []Statistic{
		{Name: "every", Metric: "heartbeat_seconds", Help: "Time between heartbeats.", Value: func(s *Stats) float64 { return s.Every }},
		{
			Name: "uptime", Metric: "uptime_seconds", Help: "Time since the node started.",
			Value: func(s *Stats) float64 { return float64(s.Uptime) },
		},
		{Name: "fps", Metric: "fps", Help: "Pictures per second sent.", Sensor: "Frame rate", Value: func(s *Stats) float64 { return s.FPS }},
		{
			Name: "bytes_per_second", Metric: "bytes_per_second", Help: "Bytes of pictures per second sent.", Sensor: "Bandwidth",
			Value: func(s *Stats) float64 { return float64(s.BytesPerSecond) },
		},
		counter("captured", "Pictures that came from the camera.", func(s *Stats) uint64 { return s.Captured }),
		counter("sent", "Pictures published.", func(s *Stats) uint64 { return s.Sent }),
		counter("snapshots", "Deliberate pictures published.", func(s *Stats) uint64 { return s.Snapshots }),
		counter("bytes", "Bytes of pictures published.", func(s *Stats) uint64 { return s.Bytes }),
		counter("replaced", "Pictures that gave way to newer ones.", func(s *Stats) uint64 { return s.Replaced }),
		counter("unsent", "Pictures dropped because the broker was out of reach.", func(s *Stats) uint64 { return s.Unsent }),
		counter("broken", "Pictures that were not whole.", func(s *Stats) uint64 { return s.Broken }),
		counter("too_large", "Pictures over the size limit.", func(s *Stats) uint64 { return s.TooLarge }),
		counter("commands", "Commands received.", func(s *Stats) uint64 { return s.Commands }),
		counter("unanswered", "Commands not answered, because too many came at once.", func(s *Stats) uint64 { return s.Unanswered }),
		counter("reconnects", "Times the node lost its broker.", func(s *Stats) uint64 { return s.Reconnects }).shown("Reconnects"),
		counter("restarts", "Times the camera was restarted after a fault.", func(s *Stats) uint64 { return s.Restarts }),
		{
			Name: SensorTemperature, Metric: "temperature_celsius", Help: "Temperature of the node's processor.",
			Sensor: "Processor temperature",
			Value:  func(s *Stats) float64 { return *s.Temperature }, Unknown: func(s *Stats) bool { return s.Temperature == nil },
		},
		{
			Name: "memory", Metric: "memory_bytes", Help: "Memory that the node's process has from the system.",
			Value: func(s *Stats) float64 { return float64(s.Memory) }, Unknown: func(s *Stats) bool { return s.Memory == 0 },
		},
		{
			Name: SensorSignal, Metric: "signal_dbm", Help: "Strength of the node's wireless network.", Sensor: "Wi-Fi signal",
			Value: func(s *Stats) float64 { return float64(*s.Signal) }, Unknown: func(s *Stats) bool { return s.Signal == nil },
		},
	}
}

func counter(name, help string, count func(*Stats) uint64) Statistic {
	return Statistic{
		Name: name, Metric: name + "_total", Help: help,
		Value: func(s *Stats) float64 { return float64(count(s)) },
	}
}

// shown is a statistic with an entity in Home Assistant.
func (s Statistic) shown(name string) Statistic {
	s.Sensor = name
	return s
}
