package command

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"camqtt/internal/testkit/cameratest"
)

// rtspCamera is an RTSP server (RFC 2326) with one stream, made by a real ffmpeg
// and sent interleaved. It wants the user "viewer" with the password "ge heim".
type rtspCamera struct {
	t      testing.TB
	addr   string
	sdp    string
	frames atomic.Int64 // of the film so far, by the times in it: packets get lost

	mu     sync.Mutex
	player net.Conn // who is sent the stream
}

const (
	rtspLogin = "viewer:ge heim"
	rtspRate  = 20 // pictures per second
)

func newRTSPCamera(t testing.TB, keyEvery int) *rtspCamera {
	t.Helper()
	cameratest.Need(t, "ffmpeg")
	c := &rtspCamera{t: t}
	rtp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.addr = ln.Addr().String()
	sdp := filepath.Join(t.TempDir(), "sdp")
	pub := exec.Command("ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=320x240:rate=%d", rtspRate),
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", fmt.Sprint(keyEvery), "-sc_threshold", "0", "-flags", "+global_header", "-bsf:v", "dump_extra=freq=keyframe",
		"-sdp_file", sdp, "-f", "rtp", fmt.Sprintf("rtp://%s?pkt_size=1200", rtp.LocalAddr()))
	if err := pub.Start(); err != nil {
		t.Fatal(err)
	}
	cameratest.Eventually(t, "ffmpeg describes its stream", func() bool {
		b, _ := os.ReadFile(sdp)
		c.sdp = string(b)
		return strings.Contains(c.sdp, "sprop-parameter-sets") && strings.HasSuffix(c.sdp, "\n")
	})
	var wg sync.WaitGroup
	wg.Go(func() { c.relay(rtp) })      // ends when rtp is closed
	wg.Go(func() { c.accept(ln, &wg) }) // ends when ln is closed
	t.Cleanup(func() {
		_ = pub.Process.Kill() // it may have ended
		_ = pub.Wait()
		rtp.Close()
		ln.Close()
		c.play(nil)
		wg.Wait()
	})
	return c
}

// relay passes the stream on to who plays it.
func (c *rtspCamera) relay(rtp net.PacketConn) {
	b := make([]byte, 4+2048)
	var began uint32
	for {
		n, _, err := rtp.ReadFrom(b[4:])
		if err != nil {
			return
		}
		at := binary.BigEndian.Uint32(b[8:]) // RFC 3550 section 5.1, in 1/90000 s
		if began == 0 {
			began = at
		}
		c.frames.Store(int64(at-began) * rtspRate / 90000)
		b[0], b[1] = '$', 0
		binary.BigEndian.PutUint16(b[2:], uint16(n))
		c.mu.Lock()
		if c.player != nil {
			_, _ = c.player.Write(b[:4+n]) // it may have gone
		}
		c.mu.Unlock()
	}
}

func (c *rtspCamera) play(to net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.player != nil && c.player != to {
		c.player.Close()
	}
	c.player = to
}

func (c *rtspCamera) accept(ln net.Listener, wg *sync.WaitGroup) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		wg.Go(func() { // ends when the other side hangs up
			defer conn.Close()
			c.talk(conn)
		})
	}
}

func (c *rtspCamera) talk(conn net.Conn) {
	r := textproto.NewReader(bufio.NewReader(conn))
	for {
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		if strings.HasPrefix(line, "$") || strings.TrimSpace(line) == "" {
			continue
		}
		h, err := r.ReadMIMEHeader()
		if err != nil {
			return
		}
		method, rest, _ := strings.Cut(line, " ")
		reply := func(status, more string) {
			fmt.Fprintf(conn, "RTSP/1.0 %s\r\nCSeq: %s\r\n%s\r\n", status, h.Get("CSeq"), more)
		}
		login := "Basic " + base64.StdEncoding.EncodeToString([]byte(rtspLogin))
		switch {
		case method == "OPTIONS":
			reply("200 OK", "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n")
		case h.Get("Authorization") != login:
			reply("401 Unauthorized", "WWW-Authenticate: Basic realm=\"cam\"\r\n")
		case !strings.Contains(rest, "/stream1"):
			reply("404 Not Found", "")
		case method == "DESCRIBE":
			reply("200 OK", fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n", len(c.sdp)))
			_, _ = io.WriteString(conn, c.sdp)
		case method == "SETUP":
			reply("200 OK", "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n")
		case method == "PLAY":
			reply("200 OK", "Session: 1\r\n")
			c.play(conn)
		default:
			reply("200 OK", "")
		}
	}
}
