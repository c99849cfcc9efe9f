package httpcam

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/node/camera/httpcam/board"
)

// espBoundary is what Espressif's example and its offspring use.
const espBoundary = "123456789000000000000987654321"

// espBoard is an ESP32 camera down to the bytes it sends: frame buffers that hold
// old pictures, one task for each port, one viewer. It runs on real ports or, for
// fake time, on pipes.
type espBoard struct {
	kind    board.Kind
	port    string        // of its page, for pipes
	layout  []board.Size  // what frame size numbers stand for
	buffers int           // frame buffers, filled again as soon as they are given back
	grab    time.Duration // what taking a picture takes
	every   time.Duration // between pictures of a stream
	held    chan struct{} // when set, the stream waits for it behind each picture

	noStamp  bool // an old release: no X-Timestamp
	zeroFrac bool // the stream prints a 64-bit second with %d: the fraction is always 0
	noGrab   bool // the sensor gives nothing
	rgb      bool // a sensor without JPEG ignores the size
	memory   int  // pixels that fit into a frame buffer; more comes cut
	most     int  // largest frame size number that the sensor takes
	noStream bool // the stream's port is closed

	spoil func([]byte) []byte // when set, what becomes of each picture on its way

	t       testing.TB
	tasks   [2]chan struct{} // of the page's port and of the stream's: one request at a time
	mu      sync.Mutex
	boot    time.Time
	size    int // frame size number
	quality int
	light   int // -1: none
	auto    int
	queue   []espShot
	shots   int
	asked   []string // "80 /capture"
	viewers int
	pics    map[board.Size][]byte
	when    map[int]time.Time // each shot was taken
}

// espShot is a picture in a frame buffer.
type espShot struct {
	jpeg  []byte
	taken time.Time
}

func newESP(t testing.TB, kind board.Kind) *espBoard {
	b := &espBoard{
		t: t, kind: kind, port: "80", buffers: 2, grab: 60 * time.Millisecond, every: 100 * time.Millisecond,
		layout: []board.Size{{Width: 96, Height: 96}, {Width: 160, Height: 120}, {Width: 128, Height: 128}, {Width: 176, Height: 144}, {Width: 240, Height: 176}, {Width: 240, Height: 240}, {Width: 320, Height: 240}},
		most:   6, memory: 1 << 20, size: 6, quality: 12, light: 0, boot: time.Now(), pics: map[board.Size][]byte{}, when: map[int]time.Time{},
		tasks: [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)},
	}
	b.fill()
	return b
}

// fill takes pictures until no frame buffer is free.
func (b *espBoard) fill() {
	for len(b.queue) < b.buffers {
		s := b.layout[b.size]
		plain, ok := b.pics[s]
		if !ok {
			plain = testkit.JPEG(b.t, s.Width, s.Height, 1, 30)
			b.pics[s] = plain
		}
		b.shots++
		note := fmt.Sprintf("shot %d.", b.shots)
		jpg := append([]byte{0xff, 0xd8, 0xff, 0xfe}, binary.BigEndian.AppendUint16(nil, uint16(len(note)+2))...)
		jpg = append(append(jpg, note...), plain[2:]...)
		if s.Width*s.Height > b.memory {
			jpg = jpg[:len(jpg)/2]
		}
		b.when[b.shots] = time.Now()
		b.queue = append(b.queue, espShot{jpg, b.when[b.shots]})
	}
}

// get is esp_camera_fb_get and the return of the buffer: the oldest picture, and a
// new one in its place.
func (b *espBoard) get() (espShot, bool) {
	<-time.After(b.grab)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.noGrab {
		return espShot{}, false
	}
	s := b.queue[0]
	if b.spoil != nil {
		s.jpeg = b.spoil(s.jpeg)
	}
	b.queue = b.queue[1:]
	b.fill()
	return s, true
}

// restart is a power cut.
func (b *espBoard) restart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.boot, b.queue = time.Now(), nil
	b.fill()
}

func (b *espBoard) stamp(s espShot, zero bool) string {
	d := s.taken.Sub(b.boot)
	us := d.Microseconds() % 1e6
	if zero {
		us = 0
	}
	return fmt.Sprintf("%d.%06d", d/time.Second, us)
}

// log is what has been asked since the last call.
func (b *espBoard) log() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.asked
	b.asked = nil
	return l
}

func (b *espBoard) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// client is one whose connections are pipes to the board.
func (b *espBoard) client() *http.Client {
	d := newDialer(dialTimeout)
	b.t.Cleanup(d.close)
	tr := d.transport(nil)
	tr.DialContext = func(_ context.Context, _, addr string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(addr)
		if port != b.port && (port != "81" || b.noStream || b.port != "80") {
			return nil, fmt.Errorf("connect to %s: connection refused", addr)
		}
		if port == b.port {
			port = "80"
		}
		near, far := net.Pipe()
		go b.serve(far, port) // ends when the client closes its end
		return near, nil
	}
	return &http.Client{Transport: tr}
}

// listen serves two neighbouring ports and returns the first's URL.
func (b *espBoard) listen() string {
	b.t.Helper()
	for range 50 {
		page, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.t.Fatal(err)
		}
		port := page.Addr().(*net.TCPAddr).Port
		stream, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+1))
		if err != nil {
			page.Close()
			continue
		}
		var wg sync.WaitGroup
		accept := func(l net.Listener, name string) {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				wg.Go(func() { b.serve(c, name) }) // ends when the client closes
			}
		}
		wg.Go(func() { accept(page, "80") })   // ends when the listener is closed
		wg.Go(func() { accept(stream, "81") }) // ends when the listener is closed
		b.t.Cleanup(func() {
			page.Close()
			stream.Close()
			wg.Wait()
		})
		return "http://" + page.Addr().String()
	}
	b.t.Fatal("no two neighbouring ports are free")
	return ""
}

// serve is one connection. The requests of a port are carried out one after the
// other, whatever the number of connections.
func (b *espBoard) serve(c net.Conn, port string) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		task := b.tasks[0]
		if port == "81" {
			task = b.tasks[1]
		}
		task <- struct{}{}
		b.set(func() { b.asked = append(b.asked, port+" "+req.URL.RequestURI()) })
		keep := b.handle(c, port, req.URL)
		<-task
		if !keep {
			return
		}
	}
}

// handle writes one answer; false: the connection is closed behind it.
func (b *espBoard) handle(c net.Conn, port string, u *url.URL) bool {
	at := port + " " + u.Path
	switch b.kind {
	case board.Tasmota:
		return b.tasmota(c, at)
	case board.ESPHome:
		return b.esphome(c, at)
	}
	stream := "81 /stream"
	if b.kind == board.Easytarget {
		stream = "81 /"
	}
	switch at {
	case "80 /":
		return send(c, "200 OK", "text/html", "Content-Encoding: gzip\r\n", bytes.Repeat([]byte{0x1f}, 7000))
	case "80 /capture":
		return b.capture(c)
	case "80 /status":
		return send(c, "200 OK", "application/json", "Access-Control-Allow-Origin: *\r\n", []byte(b.status()))
	case "80 /control":
		return b.control(c, u.Query())
	case stream:
		return b.stream(c)
	}
	return send(c, "404 Not Found", "text/html", "", []byte("Nothing matches the given URI"))
}

// send is httpd_resp_send: type and length before what a handler adds.
func send(c net.Conn, status, kind, more string, body []byte) bool {
	_, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s", status, kind, len(body), more, body)
	return err == nil && strings.HasPrefix(status, "200")
}

func (b *espBoard) capture(c net.Conn) bool {
	s, ok := b.get()
	if !ok {
		<-time.After(4 * time.Second) // FB_GET_TIMEOUT
		return send(c, "500 Internal Server Error", "text/html", "", []byte("Server has encountered an unexpected error"))
	}
	more := "Content-Disposition: inline; filename=capture.jpg\r\nAccess-Control-Allow-Origin: *\r\n"
	if b.kind == board.CameraWebServer && !b.noStamp {
		more += "X-Timestamp: " + b.stamp(s, false) + "\r\n"
	}
	return send(c, "200 OK", "image/jpeg", more, s.jpeg)
}

func (b *espBoard) status() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	common := fmt.Sprintf(`"framesize":%d,"quality":%d,"brightness":0,"contrast":0,"awb":1,"hmirror":0,"dcw":1,"colorbar":0`, b.size, b.quality)
	if b.kind == board.Easytarget {
		return fmt.Sprintf(`{"lamp":%d,"autolamp":%d,%s,"cam_name":"Shed","code_ver":"May  1 2022","rotate":"0","stream_url":"http://10.9.9.9:81/"}`, b.light, b.auto, common)
	}
	return fmt.Sprintf(`{"0xd3":8,"0x111":128,"0x132":137,"xclk":20,"pixformat":4,%s,"led_intensity":%d}`, common, b.light)
}

func (b *espBoard) control(c net.Conn, q url.Values) bool {
	v, err := strconv.Atoi(q.Get("val"))
	if err != nil || q.Get("var") == "" {
		return send(c, "404 Not Found", "text/html", "", []byte("Nothing matches the given URI"))
	}
	ok := true
	b.set(func() {
		switch q.Get("var") {
		case "framesize":
			if ok = v >= 0 && v <= b.most; ok && !b.rgb {
				b.size = v
			}
		case "quality":
			ok = v >= 0 && v <= 63
			b.quality = v
		case "led_intensity":
			ok = b.kind == board.CameraWebServer
			b.light = v
		case "lamp":
			if ok = b.kind == board.Easytarget && b.light >= 0; ok {
				b.light = min(max(v, 0), 100)
			}
		case "autolamp":
			ok = b.kind == board.Easytarget
			b.auto = v
		default:
			ok = false
		}
	})
	if !ok {
		return send(c, "500 Internal Server Error", "text/html", "", []byte("Server has encountered an unexpected error"))
	}
	return send(c, "200 OK", "text/html", "Access-Control-Allow-Origin: *\r\n", nil)
}

// watch counts a viewer until the returned function is called.
func (b *espBoard) watch() func() {
	b.set(func() { b.viewers++ })
	return func() { b.set(func() { b.viewers-- }) }
}

func (b *espBoard) watching() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.viewers
}

// stream is that of the Espressif family: chunked, boundary first, three chunks
// for a picture, the connection dropped at the end.
func (b *espBoard) stream(c net.Conn) bool {
	defer b.watch()()
	more := "Access-Control-Allow-Origin: *\r\n"
	if b.kind == board.CameraWebServer {
		more += "X-Framerate: 60\r\n"
	}
	chunk := func(data string) error {
		_, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(data), data)
		return err
	}
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary="+espBoundary+"\r\nTransfer-Encoding: chunked\r\n"+more+"\r\n")
	for err == nil {
		s, ok := b.get()
		if !ok {
			return false
		}
		head := fmt.Sprintf("Content-Type: image/jpeg\r\nContent-Length: %d\r\n", len(s.jpeg))
		if b.kind == board.CameraWebServer && !b.noStamp {
			head += "X-Timestamp: " + b.stamp(s, b.zeroFrac) + "\r\n"
		}
		for _, data := range []string{"\r\n--" + espBoundary + "\r\n", head + "\r\n", string(s.jpeg)} {
			if err == nil {
				err = chunk(data)
			}
		}
		b.rest()
	}
	return false
}

// rest waits for the next picture of a stream.
func (b *espBoard) rest() {
	if b.held != nil {
		<-b.held
		return
	}
	<-time.After(max(0, b.every-b.grab))
}

// taken is when the board took a picture, by the note in it.
func (b *espBoard) taken(jpg []byte) time.Time {
	b.t.Helper()
	var n int
	_, note, _ := bytes.Cut(jpg, []byte("shot "))
	if _, err := fmt.Sscanf(string(note[:min(len(note), 20)]), "%d", &n); err != nil {
		b.t.Fatalf("a picture without note: %v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.when[n]
}
