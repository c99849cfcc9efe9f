//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// BenchmarkSnap asks a camera that is streaming for 500 pictures, at any time between two
// of its own. The way is from capture to receipt: command to receipt is that and the
// camera's own time to its next picture. The test camera writes the time before it draws,
// so its drawing is in the way and is told beside it.
func BenchmarkSnap(b *testing.B) {
	const snaps = 500
	d := startDemo(b)
	type picture struct {
		jpeg []byte
		at   time.Time // of receipt
	}
	got, done := make(chan picture, 16), make(chan string, 16)
	l := eye(b, d.mqtt, func(m wire.Message) {
		switch {
		case m.Retained, bytes.Contains(m.Payload, []byte(`"cmd":"hello"`)): // others ask for that
		case strings.HasSuffix(m.Topic, "/snapshot"):
			got <- picture{bytes.Clone(m.Payload), time.Now()}
		default:
			done <- string(m.Payload)
		}
	}, "cam/porch/snapshot", "cam/porch/result")
	tell(b, l, "porch", "start fps=10")
	<-done
	var whole, way []time.Duration
	for i := range snaps {
		time.Sleep(rand.N(100 * time.Millisecond))
		sent := time.Now()
		tell(b, l, "porch", fmt.Sprintf("snap id=s%d", i))
		p := <-got
		taken, ok := jpeg.CaptureTime(p.jpeg)
		if !ok {
			b.Fatal("a picture without a capture time")
		}
		if result := <-done; !strings.Contains(result, fmt.Sprintf(`"id":"s%d"`, i)) || !strings.Contains(result, `"ok":true`) {
			b.Fatal(result)
		}
		whole, way = append(whole, p.at.Sub(sent)), append(way, p.at.Sub(taken))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(percentile(way, 0.5), "ms-capture-to-receipt-p50")
	b.ReportMetric(percentile(way, 0.99), "ms-capture-to-receipt-p99")
	b.ReportMetric(percentile(whole, 0.5), "ms-command-to-receipt-p50")
	b.ReportMetric(percentile(whole, 0.99), "ms-command-to-receipt-p99")
	drawn := drawing(b)
	b.ReportMetric(percentile(drawn, 0.5), "ms-of-it-drawing-p50")
	b.ReportMetric(percentile(drawn, 0.99), "ms-of-it-drawing-p99")
}

// BenchmarkPage is the time from capture to a picture on the page, for one camera at 10
// fps shown large. The test camera's drawing is in it and is told beside it.
func BenchmarkPage(b *testing.B) {
	const pictures = 250 // the page keeps the times of the last 240
	h := startHub(b, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:")
	page := testkit.OpenBrowser(b, h.http+"/#porch", 0, 0)
	page.Wait(`document.querySelector('cam-focus')?.latencies?.().length > 10`)
	start := time.Now()
	from := testkit.Eval[int](page, `Number(document.querySelector('cam-focus').dataset.frames)`)
	time.Sleep(pictures * 100 * time.Millisecond) // undisturbed by questions
	shown := testkit.Eval[int](page, `Number(document.querySelector('cam-focus').dataset.frames)`) - from
	rate := float64(shown) / time.Since(start).Seconds()
	var took []time.Duration
	for _, ms := range testkit.Eval[[]float64](page, `document.querySelector('cam-focus').latencies().map(l => l.drawn - l.captured)`) {
		took = append(took, time.Duration(ms*float64(time.Millisecond)))
	}
	if len(took) < 200 {
		b.Fatalf("%d pictures drawn, wanted at least 200", len(took))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(percentile(took, 0.5), "ms-capture-to-drawn-p50")
	b.ReportMetric(percentile(took, 0.95), "ms-capture-to-drawn-p95")
	b.ReportMetric(rate, "fps")
	b.ReportMetric(percentile(drawing(b), 0.5), "ms-of-it-drawing-p50")
}

// BenchmarkNode is what a node costs that passes on VGA at 10 fps from a program. The
// program plays a clip without encoding anything, and is not counted.
func BenchmarkNode(b *testing.B) {
	const seconds = 20
	clip := filepath.Join(b.TempDir(), "clip.mkv")
	ffmpeg := testkit.Tool(b, "ffmpeg")
	if _, stderr, status := testkit.Run(b, ffmpeg, "-nostdin", "-loglevel", "error", "-f", "lavfi",
		"-i", "testsrc2=size=640x480:rate=10,noise=alls=6:allf=t", "-t", "60", "-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p", clip); status != 0 {
		b.Fatal(stderr)
	}
	broker := startBroker(b)
	var frames, size atomic.Int64
	l := eye(b, broker, func(m wire.Message) {
		frames.Add(1)
		size.Add(int64(len(m.Payload)))
	}, "cam/desk/frame")
	n := serve(b, "node", "desk", "--broker", broker, "--source",
		"exec:"+ffmpeg+" -nostdin -hide_banner -loglevel error -re -stream_loop -1 -i "+clip+" -c copy -f mpjpeg -")
	online(b, broker, "desk")
	pid := n.Cmd.Process.Pid
	idle := memoryOf(b, pid, "VmRSS")
	tell(b, l, "desk", "start")
	testkit.Until(b, "pictures come", func() bool { return frames.Load() > 20 })
	before, begun := frames.Load(), cpuOf(b, pid)
	time.Sleep(seconds * time.Second)
	count, spent := frames.Load()-before, cpuOf(b, pid)-begun
	if count < seconds*9 {
		b.Fatalf("%d pictures in %d s of 10 fps\n%s", count, seconds, n.Err())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(spent.Microseconds())/1e3/float64(count), "ms-cpu/frame")
	b.ReportMetric(memoryOf(b, pid, "VmRSS"), "MB-resident")
	b.ReportMetric(memoryOf(b, pid, "VmHWM"), "MB-resident-peak")
	b.ReportMetric(idle, "MB-resident-before-first-picture")
	b.ReportMetric(float64(count)/seconds, "fps")
	b.ReportMetric(float64(size.Load())/1e3/float64(frames.Load()), "KB/frame")
}

// BenchmarkDemoStart starts the built program with a browser at hand, which goes to the
// page as soon as the port answers.
func BenchmarkDemoStart(b *testing.B) {
	const starts = 7
	page := testkit.OpenBrowser(b, "about:blank", 0, 0)
	page.Allow("WebSocket connection to") // of the page of the last start, which is left open
	var first, ready []time.Duration
	for range starts {
		web, mqtt := "127.0.0.1:"+strconv.Itoa(testkit.FreePort(b)), "127.0.0.1:"+strconv.Itoa(testkit.FreePort(b))
		page.Allow("a request left the origin: http://" + web + "/")
		page.Allow("a request left the origin: ws://" + web + "/")
		begun := time.Now()
		p := serve(b, "demo", "--http", web, "--mqtt", mqtt)
		answers(b, web)
		testkit.Eval[bool](page, `setTimeout(() => location.assign("http://`+web+`/")) > 0`)
		ready = append(ready, says(b, "http://"+web+"/readyz", "").Sub(begun))
		// A question would fail that meets the browser on its way to the page.
		says(b, "http://"+web+"/api/cameras", `"streaming":true`)
		page.Wait(`performance.getEntriesByName('first-picture').length > 0`)
		drawn := testkit.Eval[float64](page, `performance.timeOrigin + performance.getEntriesByName('first-picture')[0].startTime`)
		first = append(first, time.UnixMicro(int64(drawn*1e3)).Sub(begun))
		p.Signal(syscall.SIGINT)
		p.Wait()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(percentile(first, 0.5), "ms-to-first-picture-p50")
	b.ReportMetric(percentile(first, 1), "ms-to-first-picture-max")
	b.ReportMetric(percentile(ready, 0.5), "ms-to-ready-p50")
}

// says waits until a URL answers with 200 and a text.
func says(b *testing.B, url, text string) time.Time {
	b.Helper()
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(5 * time.Millisecond) {
		r, err := http.Get(url)
		if err == nil {
			body, _ := io.ReadAll(r.Body) // half an answer lacks the text
			r.Body.Close()
			if r.StatusCode == http.StatusOK && bytes.Contains(body, []byte(text)) {
				return time.Now()
			}
		}
		if time.Now().After(end) {
			b.Fatalf("%s does not answer %q: %v", url, text, err)
		}
	}
}
