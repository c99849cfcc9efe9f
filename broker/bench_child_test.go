//go:build linux

package broker

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/mqtt"
)

// childArg as the first argument makes the test binary a broker to compare with: the
// processor time of a process says what a broker costs only when nothing else is in it.
const childArg = "be-broker"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		fmt.Fprintln(os.Stderr, child(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child serves until it is killed. Its arguments are which broker, the address of plain
// TCP and, for a second listener with TLS, its address, certificate and key.
func child(args []string) error {
	if len(args) == 4 && args[0] == flooder {
		return flood(args[1], args[2], args[3])
	}
	if len(args) != 2 && len(args) != 5 {
		return fmt.Errorf("%d arguments, wanted 2 or 5", len(args))
	}
	var secure *tls.Config
	if len(args) == 5 {
		pair, err := tls.LoadX509KeyPair(args[3], args[4])
		if err != nil {
			return err
		}
		secure = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	switch args[0] {
	case library:
		return serveLibrary(args, secure)
	case floor:
		return serveFloor(args, secure)
	}
	return fmt.Errorf("no broker is called %q", args[0])
}

// open lets everybody do everything.
type open struct{ *mochi.HookBase }

func (open) ID() string                                               { return "open" }
func (open) Provides(b byte) bool                                     { return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck }
func (open) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (open) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

// serveLibrary runs the library's own server, with its own listeners and defaults.
func serveLibrary(args []string, secure *tls.Config) error {
	s := mochi.New(&mochi.Options{Logger: quiet()})
	err := errors.Join(s.AddHook(open{new(mochi.HookBase)}, nil),
		s.AddListener(listeners.NewTCP(listeners.Config{ID: "plain", Address: args[1]})))
	if secure != nil {
		err = errors.Join(err, s.AddListener(listeners.NewTCP(listeners.Config{ID: "tls", Address: args[2], TLSConfig: secure})))
	}
	if err = errors.Join(err, s.Serve()); err != nil {
		return err
	}
	select {}
}

// bare writes what publishers send to every subscriber, whatever the topic, in a loop:
// the least that a broker in Go can cost. Its system calls are raw: a call that the
// scheduler is told of wakes the runtime's monitor thread, which then costs about a
// quarter of all there is when pictures are few.
type bare struct {
	mu  sync.Mutex
	out []func(packet []byte) error
}

func serveFloor(args []string, secure *tls.Config) error {
	f, failed := new(bare), make(chan error)
	for i, addr := range args[1:min(len(args), 3)] {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		if i == 1 {
			l = tls.NewListener(gathering{l}, secure)
		}
		go func() { // ends with the process
			for {
				c, err := l.Accept()
				if err != nil {
					failed <- err
					return
				}
				go f.serve(c) // ends with the connection
			}
		}()
	}
	return <-failed
}

func (f *bare) serve(c net.Conn) {
	defer c.Close()
	r, buf, v := bufio.NewReader(cheapReader(c)), make([]byte, 1<<16), byte(4)
	for {
		p, head, err := whole(r, buf)
		if err != nil {
			return
		}
		switch p[0] >> 4 {
		case packets.Connect:
			v = p[head+6]
			err = answer(c, v, packets.Connack, 0, 0)
		case packets.Subscribe:
			f.mu.Lock()
			f.out = append(slices.Clone(f.out), cheapWriter(c))
			f.mu.Unlock()
			err = answer(c, v, packets.Suback, p[head], p[head+1])
		case packets.Publish:
			f.mu.Lock()
			out := f.out
			f.mu.Unlock()
			for _, write := range out {
				_ = write(p) // one that has gone does not matter here
			}
		}
		if err != nil {
			return
		}
	}
}

// whole reads one packet and says how long its fixed header is.
func whole(r *bufio.Reader, buf []byte) (p []byte, head int, err error) {
	b, err := r.Peek(2)
	for err == nil && b[len(b)-1] > 127 && len(b) < 5 {
		b, err = r.Peek(len(b) + 1)
	}
	if err != nil {
		return nil, 0, err
	}
	hl, n := mqtt.FixedHeader(b)
	if hl == 0 || hl+n > len(buf) {
		return nil, 0, fmt.Errorf("packet of %d bytes", n)
	}
	_, err = io.ReadFull(r, buf[:hl+n])
	return buf[:hl+n], hl, err
}

// answer writes a CONNACK or SUBACK that accepts.
func answer(c net.Conn, v, typ, b1, b2 byte) error {
	p := []byte{typ << 4, 2, b1, b2}
	if v == 5 {
		p = append(p, 0) // no properties
	}
	if typ == packets.Suback {
		p = append(p, 0) // QoS 0
	}
	p[1] = byte(len(p) - 2)
	_, err := c.Write(p)
	return err
}

// rawReader reads a socket.
type rawReader struct {
	raw  syscall.RawConn
	p    []byte
	n    int
	err  syscall.Errno
	call func(fd uintptr) bool
}

// cheapReader gives the cheapest way to read from a connection.
func cheapReader(c net.Conn) io.Reader {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return c
	}
	r := &rawReader{raw: raw}
	r.call = func(fd uintptr) bool {
		n, _, e := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&r.p[0])), uintptr(len(r.p)))
		r.n, r.err = int(n), e
		return e != syscall.EAGAIN
	}
	return r
}

func (r *rawReader) Read(p []byte) (int, error) {
	r.p = p
	err := r.raw.Read(r.call)
	r.p = nil
	switch {
	case err != nil:
		return 0, err
	case r.err != 0:
		return 0, r.err
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// rawWriter writes to a socket.
type rawWriter struct {
	raw  syscall.RawConn
	iov  [2]syscall.Iovec
	err  syscall.Errno
	call func(fd uintptr) bool
}

// cheapWriter gives the cheapest way to write to a connection: writev of a head and the
// payload behind it, as a broker that shares payloads has to; under TLS all records of
// a packet in one write.
func cheapWriter(c net.Conn) func([]byte) error {
	if t, ok := c.(*tls.Conn); ok {
		g, _ := t.NetConn().(*gathered)
		return func(p []byte) error { return g.write(t, p) }
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return func(p []byte) error { _, err := c.Write(p); return err }
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return func([]byte) error { return err }
	}
	w := &rawWriter{raw: raw}
	w.call = w.try
	return w.write
}

func (w *rawWriter) write(p []byte) error {
	k := min(32, len(p)-1) // about where a payload begins
	w.iov[0].Base, w.iov[1].Base = &p[0], &p[k]
	w.iov[0].SetLen(k)
	w.iov[1].SetLen(len(p) - k)
	err := w.raw.Write(w.call)
	w.iov = [2]syscall.Iovec{}
	if err == nil && w.err != 0 {
		err = w.err
	}
	return err
}

// try writes until all is written, true, or the socket is full, false.
func (w *rawWriter) try(fd uintptr) bool {
	for w.iov[1].Len > 0 {
		n, _, e := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&w.iov[0])), uintptr(len(w.iov)))
		if w.err = e; e != 0 {
			return e != syscall.EAGAIN
		}
		for i := range w.iov {
			k := min(uint64(n), uint64(w.iov[i].Len))
			w.iov[i].Base = (*byte)(unsafe.Add(unsafe.Pointer(w.iov[i].Base), k))
			w.iov[i].SetLen(int(w.iov[i].Len) - int(k))
			n -= uintptr(k)
		}
	}
	return true
}

// gathering accepts connections whose writes can be gathered.
type gathering struct{ net.Listener }

func (g gathering) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gathered{Conn: c}, nil
}

// gathered is what TLS writes its records to.
type gathered struct {
	net.Conn
	on  bool
	buf []byte
}

func (g *gathered) Write(p []byte) (int, error) {
	if !g.on {
		return g.Conn.Write(p)
	}
	g.buf = append(g.buf, p...)
	return len(p), nil
}

func (g *gathered) write(t *tls.Conn, p []byte) error {
	g.on, g.buf = true, g.buf[:0]
	_, err := t.Write(p)
	g.on = false
	if err != nil {
		return err
	}
	_, err = g.Conn.Write(g.buf)
	return err
}
