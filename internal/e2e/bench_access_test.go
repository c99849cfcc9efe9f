//go:build linux

package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// BenchmarkReconnect kills a broker with 1,000 nodes, each with an account and a token of
// its own, starts it again, and waits until they are back, subscribed. They pause as nodes
// do between attempts.
func BenchmarkReconnect(b *testing.B) {
	const nodes = 1000
	data := b.TempDir()
	file := filepath.Join(data, access.FileName)
	tokens := make([]string, nodes)
	for i := range nodes {
		id := wire.ID(fmt.Sprintf("c%03d", i))
		var err error
		if tokens[i], err = access.Add(file, access.Account{Name: string(id), Role: access.Camera, Cameras: []wire.ID{id}, Token: true}, ""); err != nil {
			b.Fatal(err)
		}
	}
	addr := "127.0.0.1:" + strconv.Itoa(testkit.FreePort(b))
	broker := func() *testkit.Program {
		return serve(b, "run", "-c", "broker.listen="+addr, "-c", "broker.data="+data, "-c", "broker.anonymous=never", "-c", "log.level=error")
	}
	p := broker()
	answers(b, addr)
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	b.Cleanup(func() { cancel(); serving.Wait() })
	var up atomic.Int64
	for i, token := range tokens {
		id := fmt.Sprintf("c%03d", i)
		will := wire.Message{Topic: "cam/" + id + "/status", Payload: []byte(wire.Offline), QoS: 1, Retained: true}
		l, err := mqttclient.New(mqttclient.Options{
			URLs: []string{"mqtt://" + addr}, ClientID: "cam-" + id + "-bench", Username: id, Password: token, Will: &will,
			Subscriptions: []mqttclient.Subscription{{Filter: "cam/" + id + "/cmd", QoS: 1}, {Filter: "cam/_all/cmd", QoS: 1}, {Filter: "cam/" + id + "/set/+", QoS: 1}},
			Up:            func() { up.Add(1) }, Down: func(error) { up.Add(-1) }, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		serving.Go(func() { _ = l.Serve(ctx) }) // ends when the benchmark does
	}
	back := func(n int64) time.Time {
		for end := time.Now().Add(2 * time.Minute); up.Load() < n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				b.Fatalf("%d of %d nodes are connected\n%s", up.Load(), n, p.Err())
			}
		}
		return time.Now()
	}
	begun := time.Now()
	b.ReportMetric(back(nodes).Sub(begun).Seconds(), "s-first-connect")
	p.Signal(syscall.SIGKILL)
	p.Wait()
	testkit.Until(b, "every node has noticed", func() bool { return up.Load() == 0 })
	p = broker()
	begun = time.Now()
	answers(b, addr)
	b.ReportMetric(back(1).Sub(begun).Seconds(), "s-first-back")
	b.ReportMetric(back(nodes*95/100).Sub(begun).Seconds(), "s-95-percent-back")
	b.ReportMetric(back(nodes).Sub(begun).Seconds(), "s-all-back")
	b.ReportMetric(0, "ns/op")
}
