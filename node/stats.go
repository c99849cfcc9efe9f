package node

import (
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"camqtt/internal/wire"
)

// counters are written by several goroutines and read for stats.
type counters struct {
	captured, sent, snapshots, bytes, replaced atomic.Uint64
	unsent, broken, tooLarge, commands         atomic.Uint64
	connects, restarts                         atomic.Uint64
}

// statistics publishes stats, which is the node's heartbeat.
type statistics struct {
	topics
	outbox   *outbox
	runner   *runner
	presence *presence
	count    *counters
	flood    *flood
	usual    time.Duration // between heartbeats
	started  time.Time
	before   func() // before a heartbeat

	at          time.Time // when the next is due
	last        time.Time // when the rates were last counted, and from what:
	sent, bytes uint64
}

func (s *statistics) next() time.Time { return s.at }

func (s *statistics) run(now time.Time) {
	if due(s.at, now) {
		s.publish(now)
	}
}

// publish sends the heartbeat.
func (s *statistics) publish(now time.Time) {
	every := s.presence.rival.every(s.usual, now)
	s.at = now.Add(every)
	s.before()
	if s.presence.serving() {
		stats := s.stats(now)
		stats.Every = every.Seconds()
		s.outbox.publish(s.json(wire.KindStats, stats))
	}
}

func (s *statistics) stats(now time.Time) wire.Stats {
	c := s.count
	all := wire.Stats{
		TS: wire.At(now), Instance: s.presence.info.instance, Uptime: int64(now.Sub(s.started).Seconds()),
		Captured: c.captured.Load(), Sent: c.sent.Load(), Snapshots: c.snapshots.Load(), Bytes: c.bytes.Load(),
		Replaced: c.replaced.Load(), Unsent: c.unsent.Load(), TooLarge: c.tooLarge.Load(), Unanswered: s.flood.unanswered.Load(),
		Commands: c.commands.Load(), Restarts: c.restarts.Load(), Memory: memory(), Temperature: temperature(), Signal: signal(wireless),
	}
	all.Broken, _ = s.runner.broken()
	if n := c.connects.Load(); n > 0 {
		all.Reconnects = n - 1
	}
	if secs := now.Sub(s.last).Seconds(); secs > 0 {
		all.FPS = math.Round(100*float64(all.Sent-s.sent)/secs) / 100
		all.BytesPerSecond = int64(float64(all.Bytes-s.bytes) / secs)
	}
	s.last, s.sent, s.bytes = now, all.Sent, all.Bytes
	return all
}

// memory returns what the program has got from the system, in bytes.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}

// temperature returns the processor's, in degrees Celsius, where the kernel
// tells it (Documentation/driver-api/thermal/sysfs-api.rst: millidegrees).
func temperature() *float64 {
	b, err := os.ReadFile("/sys/class/thermal/thermal_zone0/temp")
	if err != nil {
		return nil
	}
	milli, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return nil
	}
	c := float64(milli/100) / 10
	return &c
}

// wireless is where the kernel lists the strength of wireless networks
// (Documentation/networking: /proc/net/wireless).
const wireless = "/proc/net/wireless"

// signal returns the strength of the first wireless network in a table of that
// form, in dBm, or nil: a positive number is of another scale.
func signal(path string) *int {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		// "wlan0: 0000   54.  -56.  -256 ...": status, link quality, level
		name, rest, ok := strings.Cut(line, ":")
		cells := strings.Fields(rest)
		if !ok || strings.Contains(name, "|") || len(cells) < 3 {
			continue
		}
		if level, err := strconv.Atoi(strings.TrimSuffix(cells[2], ".")); err == nil && level < 0 && level > -200 {
			return &level
		}
	}
	return nil
}

// sensors lists what this machine can tell of itself.
func sensors() []string {
	var all []string
	if temperature() != nil {
		all = append(all, wire.SensorTemperature)
	}
	if signal(wireless) != nil {
		all = append(all, wire.SensorSignal)
	}
	return all
}
