package node

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"camqtt/internal/wire"
)

// statPoint is what the rates of the next stats are counted from.
type statPoint struct {
	at          time.Time
	sent, bytes uint64
}

// publishStats sends the heartbeat.
func (l *loop) publishStats(now time.Time) {
	every := l.rival.every(l.opts.StatsEvery, now)
	l.statNext = now.Add(every)
	l.grown()
	if l.run != nil { // a live stream changes nothing else in state but the time of its newest picture
		l.stated.dirty = true
	}
	if !l.presence.online || l.presence.standby {
		return
	}
	c := &l.count
	s := wire.Stats{
		TS: wire.At(now), Instance: l.instance, Every: every.Seconds(), Uptime: int64(now.Sub(l.started).Seconds()),
		Captured: c.captured.Load(), Sent: c.sent.Load(), Snapshots: c.snapshots.Load(), Bytes: c.bytes.Load(),
		Replaced: c.replaced.Load(), Unsent: c.unsent.Load(), TooLarge: c.tooLarge.Load(), Unanswered: l.flood.unanswered.Load(),
		Commands: c.commands.Load(), Restarts: c.restarts.Load(), Memory: memory(), Temperature: temperature(), Signal: signal(wireless),
	}
	s.Broken, _ = l.broken()
	if n := c.connects.Load(); n > 0 {
		s.Reconnects = n - 1
	}
	if secs := now.Sub(l.statPrev.at).Seconds(); secs > 0 {
		s.FPS = float64(int(100*float64(s.Sent-l.statPrev.sent)/secs+0.5)) / 100
		s.BytesPerSecond = int64(float64(s.Bytes-l.statPrev.bytes) / secs)
	}
	l.statPrev = statPoint{now, s.Sent, s.Bytes}
	l.outbox.add(item{msgs: []wire.Message{l.json(wire.KindStats, s)}, state: true})
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
