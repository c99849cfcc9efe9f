package push

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit"
)

// newFuzzed is a server without ports whose camera checks what it gets.
func newFuzzed(t *testing.T) *Server {
	t.Helper()
	g, err := newGate([]Camera{{
		ID: "gate", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Deliver: func(_ context.Context, b []byte, _ time.Time) error {
			if info, err := jpeg.Scan(b); err != nil || info.Len != len(b) {
				t.Errorf("%d bytes were handed on that are not one JPEG: %v", len(b), err)
			}
			return nil
		},
	}}, 64)
	if err != nil {
		t.Fatal(err)
	}
	return &Server{gate: g, refusals: newRefusals(), opts: Options{MaxBytes: 4096, Silence: time.Second, Log: slog.New(slog.DiscardHandler)}}
}

func FuzzForm(f *testing.F) {
	pic := testkit.JPEG(f, 16, 16, 1, 0)
	head := "--x\r\nContent-Disposition: form-data; name=\"imageFile\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
	f.Add("multipart/form-data; boundary=x", []byte(head+string(pic)+"\r\n--x--\r\n"))
	f.Add("multipart/form-data; boundary=x", []byte(head+string(pic)+"\x00\x00\r\n--x"))
	f.Add("multipart/form-data", []byte(head))
	f.Add("multipart/form-data; boundary=\"\"", []byte(head))
	f.Add("image/jpeg", pic)
	f.Add("", pic[:20])
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		s := newFuzzed(t)
		c, _ := s.gate.match(credentials{id: "gate", from: netip.MustParseAddr("127.0.0.1")})
		b, err := s.body(bytes.NewReader(body), kind)
		if err == nil && len(b) > s.opts.MaxBytes {
			t.Errorf("%d bytes were read, the limit is %d", len(b), s.opts.MaxBytes)
		}
		if err == nil {
			_ = s.deliver(t.Context(), c, b, time.Now()) // Deliver checks
		}
	})
}

func FuzzStream(f *testing.F) {
	pic := testkit.JPEG(f, 16, 16, 1, 0)
	f.Add(pic)
	f.Add(append([]byte("cam/gate\n"), pic...))
	f.Add(append([]byte("cam/gate hunter2.hunter2\r\n"), append(pic, 0, 0)...))
	f.Add([]byte("cam/gate"))
	f.Add([]byte("cam/ \n"))
	f.Add([]byte("\xff\xd8\xff"))
	f.Add([]byte(strings.Repeat("x", 300)))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newFuzzed(t)
		v := credentials{from: netip.MustParseAddr("127.0.0.1"), at: time.Now()}
		if err := s.receive(t.Context(), bytes.NewReader(b), &v); err != nil && err.Error() == "" {
			t.Error("refused without a word")
		}
		if strings.ContainsAny(v.id+v.token, " \r\n") {
			t.Errorf("id %q and token %q of a line have blanks in them", v.id, v.token)
		}
	})
}
