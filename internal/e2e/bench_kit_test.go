//go:build linux

package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
)

// percentile of durations, in milliseconds.
func percentile(d []time.Duration, p float64) float64 {
	if len(d) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(d))
	return float64(s[min(int(p*float64(len(s))), len(s)-1)].Microseconds()) / 1e3
}

// cpuOf gives the processor time of another process so far, in nanoseconds and with its
// ended threads: its own clock, see clock_getcpuclockid(3).
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	var t syscall.Timespec
	if _, _, e := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(^pid<<3|2), uintptr(unsafe.Pointer(&t)), 0); e != 0 {
		b.Fatalf("processor time of %d: %v", pid, e)
	}
	return time.Duration(t.Nano())
}

// memoryOf gives the memory of another process in MB: the line of /proc/PID/status
// named key, VmRSS or VmHWM.
func memoryOf(b *testing.B, pid int, key string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(key + `:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		b.Fatalf("no %s of process %d: it has ended", key, pid)
	}
	kb, _ := strconv.Atoi(string(m[1])) // digits
	return float64(kb) * 1024 / 1e6
}

// startBroker runs a broker without anything else and returns its URL.
func startBroker(b *testing.B) string {
	b.Helper()
	addr := "127.0.0.1:" + strconv.Itoa(testkit.FreePort(b))
	serve(b, "run", "-c", "broker.listen="+addr, "-c", "broker.data=", "-c", "log.level=error")
	answers(b, addr)
	return "mqtt://" + addr
}

// answers waits until somebody listens.
func answers(b *testing.B, addr string) {
	b.Helper()
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			b.Fatal(err)
		}
	}
}

// eye is a plain MQTT client that is subscribed to some of a camera's topics.
func eye(b *testing.B, broker string, receive func(wire.Message), topics ...string) *mqttclient.Link {
	b.Helper()
	o := mqttclient.Options{URLs: []string{broker}, ClientID: "bench-eye", Log: slog.New(slog.DiscardHandler), Receive: receive}
	for _, t := range topics {
		o.Subscriptions = append(o.Subscriptions, mqttclient.Subscription{Filter: t, QoS: 1})
	}
	return connected(b, o)
}

// tell gives a camera a command.
func tell(b *testing.B, l *mqttclient.Link, id, command string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	if err := l.Publish(ctx, wire.Message{Topic: "cam/" + id + "/cmd", Payload: []byte(command), QoS: 1}); err != nil {
		b.Fatal(err)
	}
}

// drawing is how long the test camera itself takes from the time it writes on a picture
// to the picture: what the camera costs, not the way.
func drawing(b *testing.B) []time.Duration {
	b.Helper()
	s, err := kinds.Open("test:?label=porch&hue=210", camera.Options{Log: testkit.Log(b)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var took []time.Duration
	err = s.Stream(ctx, camera.Mode{FPS: 20}, func(f camera.Frame) {
		if took = append(took, time.Since(f.At)); len(took) == 100 {
			cancel()
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	return took
}
