//go:build linux

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// BenchmarkRelay is what a picture costs a node that relays an MJPEG stream to one
// subscriber, in processor time, and the broker beside it. Where there is go2rtc in
// the PATH it relays the same stream to one client:
// go test -run '^$' -bench Relay -benchtime 1x .
func BenchmarkRelay(b *testing.B) {
	for _, size := range [][2]int{{640, 480}, {1920, 1080}} {
		pic := testkit.JPEG(b, size[0], size[1], 1, 6)
		for _, fps := range []int{10, 30} {
			b.Run(fmt.Sprintf("%dx%d/%d", size[0], size[1], fps), func(b *testing.B) {
				relay(b, mjpegServer(b, pic, fps))
				b.ReportMetric(float64(len(pic))/1e3, "KB/frame")
			})
		}
	}
}

// relayTime is how long pictures are counted.
const relayTime = 15 * time.Second

// mjpegServer sends a picture so many times a second, as mjpg-streamer does.
func mjpegServer(b *testing.B, pic []byte, fps int) string {
	b.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace;boundary=boundarydonotcross")
		for t := time.NewTicker(time.Second / time.Duration(fps)); ; {
			select {
			case now := <-t.C:
				fmt.Fprintf(w, "--boundarydonotcross\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: %d.%06d\r\n\r\n", len(pic), now.Unix(), now.Nanosecond()/1e3)
				_, err := w.Write(append(pic[:len(pic):len(pic)], "\r\n"...))
				if err != nil {
					return
				}
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	b.Cleanup(s.CloseClientConnections)
	return s.URL + "/?action=stream"
}

func relay(b *testing.B, source string) {
	addr := "127.0.0.1:" + strconv.Itoa(testkit.FreePort(b))
	hub := serve(b, "run", "-c", "broker.listen="+addr, "-c", "broker.data=", "-c", "log.level=error")
	answers(b, addr)
	broker := "mqtt://" + addr
	node := serve(b, "node", "porch", "--source", source, "--broker", broker, "--fps", "30", "-c", "state=")
	var frames atomic.Int64
	l := eye(b, broker, func(m wire.Message) {
		if strings.HasSuffix(m.Topic, "/frame") {
			frames.Add(1)
		}
	}, "cam/porch/frame")
	online(b, broker, "porch")
	tell(b, l, "porch", "start fps=30 for=10m viewer=bench")
	testkit.Until(b, "pictures come", func() bool { return frames.Load() > 20 })
	perFrame := func(pid int, of *atomic.Int64) float64 {
		begun, spent := of.Load(), cpuOf(b, pid)
		time.Sleep(relayTime)
		return float64((cpuOf(b, pid) - spent).Microseconds()) / float64(max(of.Load()-begun, 1))
	}
	brokerSpent, before := cpuOf(b, hub.Cmd.Process.Pid), frames.Load()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(perFrame(node.Cmd.Process.Pid, &frames), "µs-node/frame")
	b.ReportMetric(float64((cpuOf(b, hub.Cmd.Process.Pid)-brokerSpent).Microseconds())/float64(max(frames.Load()-before, 1)), "µs-broker/frame")
	b.ReportMetric(memoryOf(b, node.Cmd.Process.Pid, "VmRSS"), "MB-node")
	if tool, err := exec.LookPath("go2rtc"); err == nil {
		pid, of := go2rtc(b, tool, source)
		b.ReportMetric(perFrame(pid, of), "µs-go2rtc/frame")
	}
}

// go2rtc relays a stream to one client; it returns its process and the pictures that
// the client has got.
func go2rtc(b *testing.B, tool, source string) (pid int, frames *atomic.Int64) {
	addr := "127.0.0.1:" + strconv.Itoa(testkit.FreePort(b))
	conf := "{streams: {porch: '" + source + "'}, api: {listen: '" + addr + "'}, rtsp: {listen: ''}, webrtc: {listen: ''}, srtp: {listen: ''}}"
	p := testkit.Start(b, tool, "-config", conf, "-config", filepath.Join(b.TempDir(), "none.yaml"))
	answers(b, addr)
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/api/stream.mjpeg?src=porch", nil)
	if err != nil {
		b.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	frames = new(atomic.Int64)
	go func() { // ends with the request
		defer res.Body.Close()
		count := &boundaries{n: frames}
		_, _ = io.Copy(count, res.Body)
	}()
	testkit.Until(b, "go2rtc relays", func() bool { return frames.Load() > 20 })
	return p.Cmd.Process.Pid, frames
}

// boundaries counts the parts of what is written.
type boundaries struct {
	n   *atomic.Int64
	end string
}

func (c *boundaries) Write(p []byte) (int, error) {
	const head = "Content-Length: "
	text := c.end + string(p)
	c.n.Add(int64(strings.Count(text, head)))
	c.end = text[max(0, len(text)-len(head)+1):]
	return len(p), nil
}
