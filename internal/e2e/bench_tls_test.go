//go:build linux

package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/testkit"
)

// BenchmarkTLS has clients connect over TLS 1.3 (ECDSA P-256), say CONNECT, hear
// CONNACK and go, four at a time: at ours and at mosquitto, with a full handshake and
// with one that resumes a session. Clients run on the same processors, so the
// processor time of the broker says more than the rate.
func BenchmarkTLS(b *testing.B) {
	crt, key := testkit.NewAuthority(b).Issue("localhost", nil)
	ours := startSecured(b, "broker.data=", "broker.tls.cert="+crt, "broker.tls.key="+key, "broker.limits.connections=20000")
	port := testkit.FreePort(b)
	theirs := testkit.StartMosquitto(b, "user root", "listener "+strconv.Itoa(port)+" 127.0.0.1", "certfile "+crt, "keyfile "+key)
	for _, c := range []struct {
		name, addr string
		pid        int
	}{
		{"camqtt", ours.mqtts, ours.Cmd.Process.Pid},
		{"mosquitto", "127.0.0.1:" + strconv.Itoa(port), theirs.Pid()},
	} {
		for _, kind := range []string{"full", "resumed"} {
			b.Run(c.name+"/"+kind, func(b *testing.B) { handshakes(b, c.addr, c.pid, kind == "resumed") })
		}
	}
}

// handshakes measures b.N connections of one kind.
func handshakes(b *testing.B, addr string, pid int, resumed bool) {
	const clients = 4
	hello := append([]byte{0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 2}, "xx"...)
	var left, failed, again atomic.Int64
	connect := func(conf *tls.Config, id byte) error {
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: testkit.Patience}, "tcp", addr, conf)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(testkit.Patience))
		mine := append([]byte(nil), hello...)
		mine[len(mine)-1] = id
		if _, err := c.Write(mine); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil { // tickets come before it
			return err
		}
		if c.ConnectionState().DidResume {
			again.Add(1)
		}
		return nil
	}
	confs := make([]*tls.Config, clients)
	for i := range confs {
		confs[i] = &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}
		if resumed {
			confs[i].ClientSessionCache = tls.NewLRUClientSessionCache(4)
			if err := connect(confs[i], byte('a'+i)); err != nil {
				b.Fatal(err)
			}
		}
	}
	again.Store(0)
	left.Store(int64(b.N))
	before := cpuOf(b, pid)
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, conf := range confs {
		wg.Go(func() { // ends when none are left
			for left.Add(-1) >= 0 {
				if err := connect(conf, byte('a'+i)); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	if n := failed.Load(); n > 0 {
		b.Fatalf("%d of %d connections failed", n, b.N)
	}
	if n := again.Load(); resumed && n != int64(b.N) || !resumed && n != 0 {
		b.Fatalf("%d of %d connections were resumed", n, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "connects/s")
	b.ReportMetric(float64((cpuOf(b, pid)-before).Microseconds())/float64(b.N), "broker-us/connect")
	b.ReportMetric(0, "ns/op")
}
