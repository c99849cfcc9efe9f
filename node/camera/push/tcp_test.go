package push_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/node/camera/push"
)

// certificate makes a certificate for 127.0.0.1, and a client that trusts it.
func certificate(t *testing.T) (*tls.Config, *http.Client) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	conf := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return conf, &http.Client{Transport: transport, Timeout: testkit.Patience}
}

func (s *server) listener() net.Listener {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	return l
}

// TestTCP sends one picture to a connection, in every way that is taken and in
// many that are not.
func TestTCP(t *testing.T) {
	s := start(t, func(o *push.Options) { o.MaxBytes = 100_000 })
	soon := start(t, func(o *push.Options) { o.Silence = 400 * time.Millisecond })
	line := func(l string, b []byte) []byte { return append([]byte(l), b...) }
	for name, c := range map[string]struct {
		send   []byte
		hang   bool
		answer string
		bell   [][]byte
		gate   [][]byte
	}{
		"by address":         {send: s.jpeg, answer: "ok\n", gate: [][]byte{s.jpeg}},
		"zeros behind":       {send: append(bytes.Clone(s.jpeg), make([]byte, 700)...), answer: "ok\n", gate: [][]byte{s.jpeg}},
		"by id":              {send: line("cam/gate\n", s.jpeg), answer: "ok\n", gate: [][]byte{s.jpeg}},
		"by id and token":    {send: line("cam/bell "+token+"\n", s.jpeg), answer: "ok\n", bell: [][]byte{s.jpeg}},
		"carriage return":    {send: line("cam/bell "+token+"\r\n", s.jpeg), answer: "ok\n", bell: [][]byte{s.jpeg}},
		"token not needed":   {send: line("cam/gate "+token+"\n", s.jpeg), answer: "ok\n", gate: [][]byte{s.jpeg}},
		"no token":           {send: line("cam/bell\n", s.jpeg), answer: "refused"},
		"wrong token":        {send: line("cam/bell wrong.wrong\n", s.jpeg), answer: "refused"},
		"unknown":            {send: line("cam/nobody wrong.wrong\n", s.jpeg), answer: "refused"},
		"wrong address":      {send: line("cam/far\n", s.jpeg), answer: "refused"},
		"two":                {send: append(bytes.Clone(s.jpeg), s.another...), answer: "not exactly one JPEG"},
		"half":               {send: s.jpeg[:len(s.jpeg)/2], answer: "not exactly one JPEG"},
		"no end":             {send: s.jpeg, hang: true, answer: "no end within"},
		"half, no end":       {send: s.jpeg[:len(s.jpeg)/2], hang: true, answer: "no end within"},
		"too large":          {send: append(bytes.Clone(s.jpeg), make([]byte, 120_000)...), answer: "larger than 100000"},
		"nothing":            {answer: "the connection broke off after 0"},
		"silence":            {hang: true, answer: "no end within"},
		"one byte":           {send: []byte{0xff}, answer: "the connection broke off after 1"},
		"garbage":            {send: bytes.Repeat([]byte{7, 0, 255}, 4000), answer: "want one JPEG"},
		"http":               {send: []byte("GET / HTTP/1.0\r\n\r\n"), answer: "want one JPEG"},
		"a line, no picture": {send: []byte("cam/gate\n"), answer: "not exactly one JPEG"},
		"three words":        {send: line("cam/bell "+token+" x\n", s.jpeg), answer: "want one JPEG"},
		"long line":          {send: line("cam/"+strings.Repeat("a", 5000)+"\n", s.jpeg), answer: "want one JPEG"},
	} {
		s := s
		if c.hang {
			s = soon
		}
		answer := s.raw(s.tcp, c.hang, c.send)
		if !strings.HasPrefix(answer, c.answer) && (answer != "" || c.answer == "ok\n") { // a reset may overtake the answer
			t.Errorf("%s: answer %q, want %q", name, answer, c.answer)
		}
		if strings.Contains(answer, "hunter2") {
			t.Errorf("%s: the answer tells the token: %q", name, answer)
		}
		s.expect(&s.bell, c.bell...)
		s.expect(&s.gate, c.gate...)
	}
	s.expect(&s.far)
}

// TestTCPClosesAtOnce has a board that closes both sides right behind the
// picture, as the simplest do.
func TestTCPClosesAtOnce(t *testing.T) {
	s := start(t, nil)
	c := s.dial(s.tcp)
	if _, err := c.Write(s.jpeg); err != nil {
		t.Fatal(err)
	}
	c.Close()
	testkit.Until(t, "the picture is taken", func() bool { return len(s.gate.take()) == 1 })
}

// TestAlike asks in vain for a camera that is there and one that is not: nothing
// tells which is which, also not once there were too many guesses.
func TestAlike(t *testing.T) {
	bubble(t, nil, func(t *testing.T, s *server) { alike(t, s) })
}

func alike(t *testing.T, s *server) {
	t.Helper()
	ask := func(path string) string {
		answer := s.raw(s.http, false, post(path, "X-Token: wrong.wrong\r\n", s.jpeg))
		return answer[:strings.Index(answer, "\r\nDate:")] + answer[strings.Index(answer, "\r\n\r\n"):]
	}
	limited := 0
	for range 14 {
		known, unknown := ask("/push/bell"), ask("/push/nobody")
		if strings.Contains(known, " 429 ") {
			limited++
		} else if strings.Contains(unknown, " 429 ") {
			continue // the one between
		}
		if known != unknown {
			t.Fatalf("a known camera:\n%s\nand an unknown one:\n%s", known, unknown)
		}
	}
	if limited < 3 {
		t.Errorf("of 28 wrong guesses only %d pairs were held up", limited)
	}
	// The right token is taken all the same: guesses of one board lock out no other.
	if answer := s.raw(s.http, false, post("/push/bell/"+token, "", s.jpeg)); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Errorf("the right token after too many wrong ones: %q", answer)
	}
	// Who is known by the address guesses nothing.
	if answer := s.raw(s.http, false, post("/push/gate", "", s.jpeg)); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Errorf("a camera known by its address: %q", answer)
	}
	for _, reason := range []string{"cam=bell from=127.0.0.1 reason=credentials", "cam=unknown from=127.0.0.1 reason=credentials", "reason=guesses"} {
		if !strings.Contains(s.log.String(), reason) {
			t.Errorf("the log has no line with %q", reason)
		}
	}
	if n := strings.Count(s.log.String(), "pushed picture not taken"); n > 4 {
		t.Errorf("%d lines about one address within a minute, want 4 at most", n)
	}
	s.expect(&s.bell, s.jpeg)
}

// TestTwoAtOneAddress has two boards behind one address: the id tells them
// apart, nothing else does.
func TestTwoAtOneAddress(t *testing.T) {
	var other shelf
	here := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	s := start(t, func(o *push.Options) {
		o.Cameras = append(o.Cameras, push.Camera{ID: "other", From: here, Deliver: other.deliver},
			push.Camera{ID: "both", From: here, Token: token, Deliver: other.deliver})
	})
	if answer := s.raw(s.http, false, post("/upload.php", "", s.jpeg)); !strings.HasPrefix(answer, "HTTP/1.1 403 ") {
		t.Errorf("a picture of one of two cameras: %q", answer)
	}
	if answer := s.raw(s.tcp, false, s.jpeg); !strings.HasPrefix(answer, "refused") {
		t.Errorf("the same over TCP: %q", answer)
	}
	for id, of := range map[string]*shelf{"gate": &s.gate, "other": &other} {
		if answer := s.raw(s.http, false, post("/push/"+id, "", s.jpeg)); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
			t.Errorf("%s: %q", id, answer)
		}
		s.expect(of, s.jpeg)
	}
	if answer := s.raw(s.http, false, post("/push/both", "", s.jpeg)); !strings.HasPrefix(answer, "HTTP/1.1 403 ") {
		t.Errorf("the right address without the token: %q", answer)
	}
}

// TestIdleConnections opens more connections than may wait: boards that send at once
// are served, also from the same address, and the ones that have to go are told.
func TestIdleConnections(t *testing.T) {
	s := start(t, func(o *push.Options) { o.PerAddress, o.Silence = 3, testkit.Patience })
	for _, addr := range []string{s.http, s.tcp} {
		var idle []net.Conn
		for range 3 {
			idle = append(idle, s.dial(addr))
		}
		send, want := post("/push/gate", "", s.jpeg), "HTTP/1.1 200 "
		told := "HTTP/1.1 503 "
		if addr == s.tcp {
			send, want, told = append([]byte("cam/gate\n"), s.jpeg...), "ok", "too many connections"
		}
		for range 2 {
			if answer := s.raw(addr, false, send); !strings.HasPrefix(answer, want) {
				t.Errorf("beside idle connections: %q", answer)
			}
		}
		got, err := io.ReadAll(idle[0])
		if err != nil || !strings.HasPrefix(string(got), told) || !strings.Contains(string(got), "push.connections_per_address") {
			t.Errorf("the oldest idle connection is told %q, %v", got, err)
		}
	}
	s.expect(&s.gate, s.jpeg, s.jpeg, s.jpeg, s.jpeg)
	if !slices.ContainsFunc(s.push.Refused(), func(r push.Refused) bool { return r.Camera == "" && r.Reason == "connections" }) {
		t.Errorf("refused connections are not counted: %v", s.push.Refused())
	}
	if !strings.Contains(s.log.String(), "reason=connections") {
		t.Error("refused connections are not in the log")
	}
}

// TestManyBoards has more boards of one address send at once than one camera may: each
// gets an HTTP answer, and what is answered with ok is taken.
func TestManyBoards(t *testing.T) {
	s := start(t, nil)
	var all sync.WaitGroup
	var taken, others atomic.Int64
	for range 60 {
		all.Go(func() { // ends with its answer
			r, err := http.Post("http://"+s.http+"/push/bell/"+token, "image/jpeg", bytes.NewReader(s.jpeg))
			if err != nil {
				t.Error(err)
				return
			}
			r.Body.Close()
			switch r.StatusCode {
			case http.StatusOK:
				taken.Add(1)
			case http.StatusServiceUnavailable:
				others.Add(1)
			default:
				t.Error(r.Status)
			}
		})
	}
	all.Wait()
	if got := int64(len(s.bell.take())); got != taken.Load() || got+others.Load() != 60 || got < 8 {
		t.Errorf("%d pictures were taken, %d answered with ok, %d with 503", got, taken.Load(), others.Load())
	}
}

// TestFlood sends pictures as fast as they go.
func TestFlood(t *testing.T) {
	s := start(t, nil)
	client := &http.Client{Timeout: testkit.Patience}
	defer client.CloseIdleConnections()
	taken := 0
	for range 300 {
		r, err := client.Post("http://"+s.http+"/push/gate", "image/jpeg", bytes.NewReader(s.another))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		switch r.StatusCode {
		case http.StatusOK:
			taken++
		case http.StatusTooManyRequests: // how many, TestPace knows
		default:
			t.Fatal(r.Status)
		}
	}
	if got := len(s.gate.take()); got != taken || taken < 60 {
		t.Errorf("%d pictures were taken of %d that were answered with ok", got, taken)
	}
	// Another camera is not held up.
	if answer := s.raw(s.http, false, post("/push/bell/"+token, "", s.jpeg)); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Errorf("another camera: %q", answer)
	}
}

// TestStops ends a server while somebody sends: it does not wait for him.
func TestStops(t *testing.T) {
	s := start(t, func(o *push.Options) { o.Silence, o.Longest = time.Hour, time.Hour })
	for _, addr := range []string{s.http, s.tcp} {
		c := s.dial(addr)
		if _, err := fmt.Fprint(c, "POST /push/gate HTTP/1.1\r\nHost: b\r\n"); err != nil {
			t.Fatal(err)
		}
	}
}
