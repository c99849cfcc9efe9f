//go:build linux

package broker

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"camqtt/internal/testkit"
)

// The brokers that are compared.
const (
	ours      = "ours"      // the whole program, as camqtt run
	mosquitto = "mosquitto" // Debian's
	library   = "library"   // the library's own server
	floor     = "floor"     // a bare loop of writev
)

// transport is how viewers come; publishers always come over plain TCP.
type transport struct{ ws, tls bool }

func (t transport) String() string {
	return map[transport]string{{}: "tcp", {tls: true}: "tls", {ws: true}: "ws", {ws: true, tls: true}: "wss"}[t]
}

// contender is a broker in a process of its own.
type contender struct {
	name    string
	pid     int
	plain   string // host:port of plain TCP
	viewers string // host:port where viewers go
	by      transport
	trust   *x509.CertPool
}

// stage starts contenders of one benchmark.
type stage struct {
	b         *testing.B
	cert, key string
	trust     *x509.CertPool
}

func newStage(b *testing.B) *stage {
	b.Helper()
	pair, pool := certificate(b)
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		b.Fatal(err)
	}
	s := &stage{b: b, cert: filepath.Join(b.TempDir(), "cert.pem"), key: filepath.Join(b.TempDir(), "key.pem"), trust: pool}
	err = errors.Join(
		os.WriteFile(s.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600),
		os.WriteFile(s.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// program builds camqtt where the benchmark can start it.
func (s *stage) program() string {
	s.b.Helper()
	path := filepath.Join(s.b.TempDir(), "camqtt")
	if out, err := exec.Command("go", "build", "-o", path, "camqtt").CombinedOutput(); err != nil {
		s.b.Fatalf("build camqtt: %v\n%s", err, out)
	}
	return path
}

// start runs a broker until the benchmark ends.
func (s *stage) start(name string, by transport) *contender {
	s.b.Helper()
	addr := func() string { return "127.0.0.1:" + strconv.Itoa(testkit.FreePort(s.b)) }
	c := &contender{name: name, plain: addr(), by: by, trust: s.trust}
	if c.viewers = c.plain; by != (transport{}) {
		c.viewers = addr()
	}
	var p *testkit.Program
	switch name {
	case ours:
		p = testkit.Start(s.b, s.program(), s.ourArgs(c)...)
	case mosquitto:
		p = testkit.Start(s.b, testkit.Tool(s.b, mosquitto), "-c", s.mosquittoFile(c))
	default:
		self, err := os.Executable()
		if err != nil {
			s.b.Fatal(err)
		}
		args := []string{childArg, name, c.plain}
		if by.tls {
			args = append(args, c.viewers, s.cert, s.key)
		}
		p = testkit.Start(s.b, self, args...)
	}
	c.pid = p.Cmd.Process.Pid
	for _, a := range []string{c.plain, c.viewers} {
		testkit.Until(s.b, name+" listens", func() bool {
			probe, err := net.Dial("tcp", a)
			if err == nil {
				probe.Close()
			}
			return err == nil
		})
	}
	return c
}

func (s *stage) ourArgs(c *contender) []string {
	keys := []string{"broker.listen=" + c.plain, "broker.data=", "log.level=error"}
	if c.by.ws {
		keys = append(keys, "dashboard.listen="+c.viewers)
		if c.by.tls {
			keys = append(keys, "dashboard.tls.cert="+s.cert, "dashboard.tls.key="+s.key)
		}
	} else if c.by.tls {
		keys = append(keys, "broker.tls.listen="+c.viewers, "broker.tls.cert="+s.cert, "broker.tls.key="+s.key)
	}
	args := []string{"run"}
	for _, k := range keys {
		args = append(args, "-c", k)
	}
	return args
}

func (s *stage) mosquittoFile(c *contender) string {
	port := func(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] + " 127.0.0.1\n" }
	text := "user root\nallow_anonymous true\nlog_type error\nlistener " + port(c.plain)
	if c.by.tls {
		text += "listener " + port(c.viewers) + "certfile " + s.cert + "\nkeyfile " + s.key + "\n"
	}
	file := filepath.Join(s.b.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.b.Fatal(err)
	}
	return file
}

// cpu gives the processor time of the process so far, in nanoseconds and with its ended
// threads: its own clock, see clock_getcpuclockid(3).
func (c *contender) cpu(b *testing.B) time.Duration {
	b.Helper()
	var t syscall.Timespec
	if _, _, e := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(^c.pid<<3|2), uintptr(unsafe.Pointer(&t)), 0); e != 0 {
		b.Fatalf("processor time of %s: %v", c.name, e)
	}
	return time.Duration(t.Nano())
}

var resident = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// memory gives the resident memory in bytes.
func (c *contender) memory(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil {
		b.Fatal(err)
	}
	m := resident.FindSubmatch(text)
	if m == nil {
		b.Fatalf("%s has ended", c.name)
	}
	kb, _ := strconv.Atoi(string(m[1])) // digits
	return float64(kb) * 1024
}

// dial connects as viewers do. receive is the size of the receive buffer; 0 leaves it
// to the kernel.
func (c *contender) dial(receive int) (net.Conn, error) {
	d := net.Dialer{Timeout: 20 * time.Second, Control: func(_, _ string, raw syscall.RawConn) error {
		if receive == 0 {
			return nil
		}
		var err error
		return errors.Join(raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receive)
		}), err)
	}}
	conn, err := d.Dial("tcp", c.viewers)
	if err != nil {
		return nil, err
	}
	if c.by.tls {
		conn = tls.Client(conn, &tls.Config{RootCAs: c.trust, ServerName: "localhost"})
	}
	if !c.by.ws {
		return conn, nil
	}
	w := &webSocket{Conn: conn, r: bufio.NewReader(conn)}
	if err := w.shake(c.viewers); err != nil {
		conn.Close()
		return nil, err
	}
	return w, nil
}

// join connects a viewer that MQTT knows.
func (c *contender) join(b *testing.B, id string, version byte) *client {
	b.Helper()
	conn, err := c.dial(0)
	if err != nil {
		b.Fatalf("%s: %v", c.name, err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	v := &client{c: conn, r: bufio.NewReader(conn)}
	v.joins(b, id, version)
	return v
}

// webSocket is the browser's side of a WebSocket, as much as a viewer needs.
type webSocket struct {
	net.Conn
	r    *bufio.Reader
	left int // of the message being read
}

func (w *webSocket) shake(host string) error {
	_, err := fmt.Fprintf(w.Conn, "GET /mqtt HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n", host)
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		line, err := w.r.ReadString('\n')
		switch {
		case err != nil:
			return err
		case first && !strings.Contains(line, " 101 "):
			return fmt.Errorf("open WebSocket: %q", line)
		case line == "\r\n":
			return nil
		}
	}
}

// Read gives what is in messages, and answers pings.
func (w *webSocket) Read(p []byte) (int, error) {
	for w.left == 0 {
		var h [10]byte
		if _, err := io.ReadFull(w.r, h[:2]); err != nil {
			return 0, err
		}
		more := map[byte]int{126: 2, 127: 8}[h[1]]
		if _, err := io.ReadFull(w.r, h[2:2+more]); err != nil {
			return 0, err
		}
		n := int(h[1])
		if more > 0 {
			n = 0
			for _, b := range h[2 : 2+more] {
				n = n<<8 | int(b)
			}
		}
		if h[0]&8 != 0 {
			if _, err := w.r.Discard(n); err != nil {
				return 0, err
			}
			if _, err := w.Conn.Write([]byte{0x8a, 0x80, 0, 0, 0, 0}); err != nil {
				return 0, err
			}
			continue
		}
		w.left = n
	}
	n, err := w.r.Read(p[:min(len(p), w.left)])
	w.left -= n
	return n, err
}

// Write sends one masked message; the mask is zero, which leaves the bytes as they are.
func (w *webSocket) Write(p []byte) (int, error) {
	if len(p) > 125 {
		return 0, fmt.Errorf("message of %d bytes, wanted at most 125", len(p))
	}
	if _, err := w.Conn.Write(append([]byte{0x82, 0x80 | byte(len(p)), 0, 0, 0, 0}, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}
