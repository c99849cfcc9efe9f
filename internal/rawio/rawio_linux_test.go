package rawio_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"camqtt/internal/rawio"
)

// pair returns two ends of a TCP connection.
func pair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	near, err = net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	far, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

// TestRead reads what net.Conn reads, with the same ends.
func TestRead(t *testing.T) {
	sent := bytes.Repeat([]byte("a picture "), 100_000)
	near, far := pair(t)
	c := rawio.Conn(near)
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if n, err := c.Read(make([]byte, 8)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: %d bytes, %v", n, err)
	}
	_ = c.SetReadDeadline(time.Time{})
	go func() { // ends when all has been read
		_, _ = far.Write(sent)
		far.Close()
	}()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("read %d of %d bytes, %v", len(got), len(sent), err)
	}
	c.Close()
	if n, err := c.Read(make([]byte, 8)); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("when closed: %d bytes, %v", n, err)
	}
}

// TestReadReset says why a connection has broken as net.Conn does.
func TestReadReset(t *testing.T) {
	near, far := pair(t)
	_ = far.(*net.TCPConn).SetLinger(0)
	far.Close()
	_, got := rawio.Conn(near).Read(make([]byte, 8))
	near, far = pair(t)
	_ = far.(*net.TCPConn).SetLinger(0)
	far.Close()
	_, want := near.Read(make([]byte, 8))
	a, okA := errors.AsType[*net.OpError](got)
	b, okB := errors.AsType[*net.OpError](want)
	if !okA || !okB || a.Op != b.Op || a.Net != b.Net || a.Err.Error() != b.Err.Error() {
		t.Errorf("got %v, want an error like %v", got, want)
	}
}

// TestWrite never waits, and says how much has left.
func TestWrite(t *testing.T) {
	near, far := pair(t)
	head, payload := []byte("head "), bytes.Repeat([]byte("picture "), 8<<20)
	n, err := rawio.Write(near, [][]byte{head, nil, payload})
	if err != nil || n == len(head)+len(payload) {
		t.Fatalf("wrote %d bytes, %v, want a part of them", n, err)
	}
	got := make([]byte, n)
	if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, append(head, payload...)[:n]) {
		t.Errorf("%d other bytes came, %v", n, err)
	}
	near.Close()
	if n, err := rawio.Write(near, [][]byte{head}); n != 0 || err == nil {
		t.Errorf("when closed: %d bytes, %v", n, err)
	}
	pipe, _ := net.Pipe()
	if n, err := rawio.Write(pipe, [][]byte{head}); n != 0 || err != nil {
		t.Errorf("to what is no socket: %d bytes, %v", n, err)
	}
}
