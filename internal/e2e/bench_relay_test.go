//go:build linux

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
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
// subscriber, in processor time, and the broker beside it. go2rtc relays the same stream
// to one client at the same time, and mjpg-streamer sends it, where the PATH has them:
// go test -run '^$' -bench Relay -benchtime 1x ./internal/e2e
func BenchmarkRelay(b *testing.B) {
	for _, size := range [][2]int{{640, 480}, {1920, 1080}} {
		pic := testkit.JPEG(b, size[0], size[1], 1, 6)
		for _, fps := range []int{10, 30} {
			b.Run(fmt.Sprintf("%dx%d/%d", size[0], size[1], fps), func(b *testing.B) {
				source := mjpgStreamer(b, pic, fps)
				if source == "" {
					source = mjpegServer(b, pic, fps)
				}
				relay(b, source)
				b.ReportMetric(float64(len(pic))/1e3, "KB/frame")
			})
		}
	}
}

// Processor time is counted in several windows, for all programs in the same.
const (
	relayWindow  = 5 * time.Second
	relayWindows = 3
)

// mjpgStreamer sends a picture so many times a second; it returns "" where there is no
// such program.
func mjpgStreamer(b *testing.B, pic []byte, fps int) string {
	b.Helper()
	tool, err := exec.LookPath("mjpg_streamer")
	if err != nil {
		return ""
	}
	plugin := func(name string) string {
		beside := filepath.Join(filepath.Dir(tool), name)
		if _, err := os.Stat(beside); err != nil {
			return name // where the linker finds it
		}
		return beside
	}
	folder, port := b.TempDir(), testkit.FreePort(b)
	if err := os.WriteFile(filepath.Join(folder, "a.jpg"), pic, 0o644); err != nil {
		b.Fatal(err)
	}
	testkit.Start(b, tool,
		"-i", fmt.Sprintf("%s -f %s -e -d %.4f", plugin("input_file.so"), folder, 1/float64(fps)),
		"-o", fmt.Sprintf("%s -l 127.0.0.1 -p %d", plugin("output_http.so"), port))
	addr := "127.0.0.1:" + strconv.Itoa(port)
	answers(b, addr)
	return "http://" + addr + "/?action=stream"
}

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
	relays := []*relaying{
		{name: "node", pid: node.Cmd.Process.Pid, frames: &frames},
		{name: "broker", pid: hub.Cmd.Process.Pid, frames: &frames},
	}
	if tool, err := exec.LookPath("go2rtc"); err == nil {
		pid, of := go2rtc(b, tool, source)
		relays = append(relays, &relaying{name: "go2rtc", pid: pid, frames: of})
	}
	for range relayWindows {
		for _, r := range relays {
			r.cpu -= cpuOf(b, r.pid)
			r.count -= r.frames.Load()
		}
		time.Sleep(relayWindow)
		for _, r := range relays {
			r.cpu += cpuOf(b, r.pid)
			r.count += r.frames.Load()
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, r := range relays {
		b.ReportMetric(r.perFrame(), "µs-"+r.name+"/frame")
		b.ReportMetric(memoryOf(b, r.pid, "VmRSS"), "MB-"+r.name)
	}
	if len(relays) == 3 {
		b.ReportMetric(relays[0].perFrame()/relays[2].perFrame(), "node/go2rtc")
	}
}

// relaying is a program that pictures pass through.
type relaying struct {
	name   string
	pid    int
	frames *atomic.Int64 // that have come out of it
	count  int64         // of them in the windows
	cpu    time.Duration // its processor time in the windows
}

// perFrame is the processor time of a picture, in microseconds.
func (r *relaying) perFrame() float64 {
	return float64(r.cpu.Microseconds()) / float64(max(r.count, 1))
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
