package push

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"camqtt/internal/jpeg"
)

// maxLine bounds the first line of a TCP connection, in bytes.
const maxLine = 256

// serveTCP takes one JPEG from each connection, until the listener is closed.
func (s *Server) serveTCP(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for pause := time.Duration(0); ; {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			wg.Go(func() { s.take(ctx, conn) }) // ends within Silence, or with ctx
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return err
		default: // too many open files, perhaps: that passes
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.opts.Log.Warn("connection not accepted", "err", err)
			select {
			case <-ctx.Done():
				return err
			case <-time.After(pause):
			}
		}
	}
}

// take handles one connection.
func (s *Server) take(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	c := credentials{from: address(conn.RemoteAddr().String()), at: time.Now()}
	if err := conn.SetDeadline(c.at.Add(s.opts.Silence)); err != nil {
		return
	}
	if err := s.receive(ctx, conn, &c); err != nil {
		if errors.Is(err, errNothing) {
			return
		}
		r := asRefusal(err)
		if ctx.Err() == nil {
			s.tell(c, r)
		}
		_ = conn.SetDeadline(time.Now().Add(s.opts.Silence)) // a late picture is answered too
		_, _ = fmt.Fprintln(conn, r)                         // most boards do not read
		return
	}
	_ = conn.SetDeadline(time.Now().Add(s.opts.Silence))
	_, _ = fmt.Fprintln(conn, "ok")
}

// errNothing is a connection that was closed without a byte: a look at whether the port
// is open, and no picture that was refused.
var errNothing = errors.New("nothing was sent")

// evictTCP ends a connection that has to make room for another.
func (s *Server) evictTCP(c *unidentified) {
	s.tell(credentials{from: c.addr, at: time.Now()}, errIdle)
	_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = fmt.Fprintln(c, errIdle)
	_ = c.Close()
}

// receive reads a picture up to the end of the stream and hands it on. It notes
// in v which camera it is said to be of.
func (s *Server) receive(ctx context.Context, r io.Reader, v *credentials) error {
	in := bufio.NewReaderSize(r, maxLine)
	head, err := in.Peek(2)
	if len(head) == 0 && errors.Is(err, io.EOF) {
		return errNothing
	}
	if err != nil {
		return s.brokeOff(err, len(head))
	}
	if !bytes.Equal(head, []byte{0xff, 0xd8}) {
		line, err := in.ReadSlice('\n')
		if v.id, v.token, err = firstLine(line, err); err != nil {
			return err
		}
	}
	c, err := s.gate.admit(*v)
	if c != nil {
		v.id = c.ID
	}
	if err != nil {
		return err
	}
	defer s.gate.leave(c)
	if conn, ok := r.(*unidentified); ok {
		conn.identified()
	}
	b, err := s.read(in)
	if err != nil {
		return s.brokeOff(err, len(b))
	}
	return s.deliver(ctx, c, b, v.at)
}

// firstLine reads "cam/<id>" or "cam/<id> <token>".
func firstLine(line []byte, err error) (id, token string, _ error) {
	words := strings.Fields(string(line))
	var ok bool
	if len(words) == 1 || len(words) == 2 {
		id, ok = strings.CutPrefix(words[0], "cam/")
	}
	if err != nil || !ok || id == "" {
		return "", "", refusalf(http.StatusBadRequest, "want one JPEG, or a first line such as cam/porch TOKEN")
	}
	if len(words) == 2 {
		token = words[1]
	}
	return id, token, nil
}

// brokeOff says why a stream did not come to its end.
func (s *Server) brokeOff(err error, got int) error {
	var known *refusal
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refusalf(http.StatusRequestTimeout, "no end within %s, after %d bytes: close the connection behind the picture", s.opts.Silence, got)
	}
	return refusalf(http.StatusBadRequest, "the connection broke off after %d bytes", got)
}

// one is b when it is exactly one JPEG; zeros may follow, which some boards send
// because their buffers have fixed sizes.
func one(b []byte) ([]byte, error) {
	info, err := jpeg.Scan(b)
	if err != nil {
		return nil, err
	}
	if rest := bytes.TrimLeft(b[info.Len:], "\x00"); len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes follow its end at byte %d", len(rest), info.Len)
	}
	return b[:info.Len:info.Len], nil
}
