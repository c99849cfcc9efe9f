package mqttclient

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"camqtt/internal/testkit/faketime"
)

// A line on which nothing moves is closed with its limit, so that nobody above waits
// for it once more; the caller's own deadline only ends the write.
func TestPulseCloses(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		p := newPulse(near, 10*time.Second, 0)
		start := time.Now()
		_ = p.SetWriteDeadline(start.Add(3 * time.Second))
		if _, err := p.Write(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("with a deadline of 3 s: %v after %s", err, time.Since(start))
		}
		_ = p.SetWriteDeadline(time.Time{})
		start = time.Now()
		if _, err := p.Write(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("without one: %v after %s, want a timeout after 10 s", err, time.Since(start))
		}
		if _, err := p.Write(make([]byte, 10)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("afterwards: %v, want that it is closed", err)
		}
	})
}
