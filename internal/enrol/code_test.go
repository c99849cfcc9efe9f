package enrol

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rsc.io/qr"

	"camqtt/internal/access"
	"camqtt/internal/cert"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

func sample() Code {
	return newCode("front", Endpoint{Pin: cert.Pin{1, 2, 3}}, []string{"192.168.1.10:8883", "[fd00::1]:8883", "cams.example.org:443"})
}

func TestCode(t *testing.T) {
	c := sample()
	text := c.Text()
	if !regexp.MustCompile(`^camjoin_[A-Za-z0-9_-]+$`).MatchString(text) {
		t.Errorf("a shell could change %q", text)
	}
	got, err := Parse(text)
	if err != nil || got.Text() != text || got.Camera != "front" || len(got.Addresses) != 3 || got.Pin != c.Pin || got.Secret != c.Secret || got.ID != c.ID {
		t.Errorf("got %v, %v", got, err)
	}
	if sample().Secret == c.Secret || sample().ID == c.ID {
		t.Error("two invitations are alike")
	}
	for i := range text { // whatever is lost, changed or added on the way is noticed
		for _, bad := range []string{text[:i], text[:i] + text[i+1:], text[:i] + "!" + text[i+1:], text + text[i:]} {
			_, err := Parse(bad)
			if err == nil {
				t.Errorf("%q was taken", bad)
			} else if len(bad) > 40 && strings.Contains(err.Error(), bad[20:]) {
				t.Errorf("the error repeats it: %v", err)
			}
		}
	}
	if _, err := Parse(strings.Repeat("camjoin_", 1<<16)); err == nil {
		t.Error("a huge one was taken")
	}
	long := c
	long.Camera = wire.ID(strings.Repeat("x", 255))
	if _, err := Parse(long.Text()); err == nil || !strings.Contains(err.Error(), "at most 32") {
		t.Errorf("the longest camera that can be written: %v", err)
	}
	later := append([]byte{2}, make([]byte, 60)...)
	sum := checksum(later)
	if _, err := Parse(codePrefix + base64.RawURLEncoding.EncodeToString(append(later, sum...))); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a later version: %v", err)
	}
}

// However a code is printed, its secret is not.
func TestCodeIsNotPrinted(t *testing.T) {
	in := Invitation{Code: sample(), Expires: time.Now()}
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", in)
		fmt.Fprintf(&b, verb+"\n", in.Code)
	}
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "code", in.Code, "in", in)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "code", in.Code, "in", in)
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(text)
	s := in.Code.Secret
	for _, secret := range []string{in.Code.Text()[20:], string(s[:]), fmt.Sprintf("%x", s), fmt.Sprintf("%d", s)[1:20], base64.StdEncoding.EncodeToString(s[:])} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("the secret is in\n%s", b.String())
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		door  Endpoint
		given []string
		want  string
	}{
		{Endpoint{Listen: "192.168.1.10:8883"}, nil, "192.168.1.10:8883"},
		{Endpoint{Listen: "[fd00::1]:8883"}, nil, "[fd00::1]:8883"},
		{Endpoint{Listen: "[::]:8883", Names: []string{"cams.example.org"}}, nil, "cams.example.org:8883"},
		{Endpoint{Listen: "[::]:8883", Names: []string{"cams.example.org"}}, []string{"10.0.0.1", "hub.local:443", "fd00::2", "10.0.0.1"}, "10.0.0.1:8883 hub.local:443 [fd00::2]:8883"},
		{Endpoint{Listen: "[::]:8883"}, []string{"a b"}, "error: address"},
		{Endpoint{Listen: "[::]:8883"}, []string{"host:0"}, "error: address"},
		{Endpoint{Listen: "[::]:8883"}, []string{"host/x"}, "error: address"},
		{Endpoint{Listen: "[::]:8883"}, strings.Split("a b c d e f g h i", " "), "error: 9 addresses"},
		{Endpoint{Listen: "nonsense"}, nil, "error: the hub listens"},
	} {
		all, err := c.door.Addresses(c.given)
		got := strings.Join(all, " ")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want && (err == nil || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%+v, %v: %s, want %s", c.door, c.given, got, c.want)
		}
	}
	all, err := Endpoint{Listen: "[::]:8883"}.Addresses(nil)
	if err != nil || len(all) == 0 || len(all) > 4 {
		t.Fatalf("of this machine: %v, %v", all, err)
	}
	for _, a := range all {
		if h, p, err := net.SplitHostPort(a); err != nil || p != "8883" || net.ParseIP(h) == nil || net.ParseIP(h).IsUnspecified() {
			t.Errorf("of this machine: %s", a)
		}
	}
	for listen, want := range map[string]string{"[::]:1": "127.0.0.1:1", "0.0.0.0:1": "127.0.0.1:1", ":1": "127.0.0.1:1", "10.0.0.1:1": "10.0.0.1:1", "hub:1": "hub:1"} {
		if got := (Endpoint{Listen: listen}).near(); got != want {
			t.Errorf("near %s: %s, want %s", listen, got, want)
		}
	}
}

// Each form of the QR code has the modules of the code.
func TestQR(t *testing.T) {
	text := sample().Text()
	q, err := NewQR(text)
	if err != nil {
		t.Fatal(err)
	}
	want, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.NewReplacer("\x1b[30;107m", "", "\x1b[0m", "").Replace(strings.TrimRight(q.Terminal(), "\n")), "\n")
	for y := -2; y < want.Size+2; y++ {
		row := []rune(lines[(y+2)/2])
		for x := -2; x < want.Size+2; x++ {
			r := row[x+2]
			black := r == '█' || y&1 == 0 && r == '▀' || y&1 == 1 && r == '▄'
			if black != want.Black(x, y) {
				t.Fatalf("terminal, module %d %d: black is %v", x, y, black)
			}
		}
	}
	var svg struct {
		Path []struct {
			Fill string `xml:"fill,attr"`
			D    string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(q.SVG()), &svg); err != nil || len(svg.Path) != 2 {
		t.Fatalf("%v, %d paths", err, len(svg.Path))
	}
	drawn := map[[2]int]bool{}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(svg.Path[1].D, -1) {
		var x, y, n int
		if _, err := fmt.Sscan(m[1], &x); err != nil {
			t.Fatal(err)
		}
		fmt.Sscan(m[2], &y)
		fmt.Sscan(m[3], &n)
		for i := range n {
			drawn[[2]int{x + i - 4, y - 4}] = true
		}
	}
	for y := range want.Size {
		for x := range want.Size {
			if drawn[[2]int{x, y}] != want.Black(x, y) {
				t.Fatalf("SVG, module %d %d: black is %v", x, y, !want.Black(x, y))
			}
		}
	}
	if _, err := NewQR(strings.Repeat("x", 1<<14)); err == nil {
		t.Error("too much text was drawn")
	}
}

// A program that reads QR codes gets the join string from the picture.
func TestQRIsRead(t *testing.T) {
	zbarimg := testkit.Tool(t, "zbarimg")
	for _, addresses := range [][]string{{"10.0.0.1:8883"}, {"192.168.1.10:8883", "[fd00:1234:5678:9abc:def0:1234:5678:9abc]:8883", "cams.example.org:443"}} {
		text := newCode("front", Endpoint{}, addresses).Text()
		q, err := NewQR(text)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "qr.png")
		if err := os.WriteFile(file, q.PNG(), 0o600); err != nil {
			t.Fatal(err)
		}
		out, stderr, status := testkit.Run(t, zbarimg, "--raw", "-q", file)
		if status != 0 || strings.TrimSpace(string(out)) != text {
			t.Errorf("exit %d, %q, %s: want %q", status, out, stderr, text)
		}
	}
}

// The file is for its owner only, and one that is damaged stops nobody but says so.
func TestBook(t *testing.T) {
	b := InviteStore(filepath.Join(t.TempDir(), "data", FileName))
	if _, err := b.Endpoint(); !errors.Is(err, ErrNoHub) {
		t.Errorf("without a file: %v", err)
	}
	if _, err := b.Invite("front", nil); !errors.Is(err, ErrNoHub) {
		t.Errorf("without a file: %v", err)
	}
	if err := b.publish(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Invite("front", nil); !errors.Is(err, ErrNoTLS) {
		t.Errorf("without TLS: %v", err)
	}
	d := Endpoint{Listen: "10.0.0.1:8883", Scheme: "wss", Names: []string{"a.example"}, Public: true, Pin: cert.Pin{9}}
	if err := b.publish(&d); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Endpoint(); err != nil || fmt.Sprint(got) != fmt.Sprint(d) {
		t.Errorf("got %+v, %v", got, err)
	}
	for range mostKept + 5 {
		if _, err := b.Invite("front", nil); err != nil {
			t.Fatal(err)
		}
	}
	p, err := b.read()
	if err != nil || len(p.Invitations) != mostKept {
		t.Errorf("%d are kept, %v", len(p.Invitations), err)
	}
	openOnes := 0
	for _, i := range p.Invitations {
		if i.State == "" {
			openOnes++
		}
	}
	if openOnes != 1 {
		t.Errorf("%d are open: want the newest", openOnes)
	}
	if err := os.WriteFile(string(b), []byte(`{"version":1,"inv`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Invite("front", nil); !errors.Is(err, errDamaged) {
		t.Errorf("damaged: %v", err)
	}
	if err := b.publish(&d); err != nil {
		t.Errorf("a hub with a damaged file does not start: %v", err)
	}
	if err := os.Chmod(string(b), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Invite("front", nil); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("for everybody to read: %v", err)
	}
}

// Only admins invite in the inviteFile, and only cameras that have no account.
func TestInviteForThePage(t *testing.T) {
	e := open(t)
	in, err := e.Invite(t.Context(), access.Principal{Name: "boss", Role: access.Admin}, "front")
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(in.Expires); left > Life || left < Life-time.Minute {
		t.Errorf("it is good for %s", left)
	}
	if _, err := take(t, in.Code); err != nil {
		t.Error(err)
	}
	if _, err := e.Invite(t.Context(), access.Principal{Name: "boss", Role: access.Admin}, "front"); !errors.Is(err, ErrExists) || !errors.Is(err, access.ErrExists) {
		t.Errorf("a second one: %v", err)
	}
	for _, r := range append(access.Roles(), access.Nobody, access.Reader, access.Anyone, access.Hub) {
		if _, err := e.Invite(t.Context(), access.Principal{Role: r}, "yard"); (err == nil) != (r == access.Admin) {
			t.Errorf("%s: %v", r, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample().Text())
	f.Add("camjoin_")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(c.Text())
		if err != nil || again.Text() != c.Text() {
			t.Errorf("%q is read as %v, but written %q: %v", s, c, c.Text(), err)
		}
	})
}

// FuzzBody is what is behind the check, which a fuzzer does not get past.
func FuzzBody(f *testing.F) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(sample().Text(), codePrefix))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[1 : len(b)-checkBytes])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		var c Code
		if c.fill(body) != nil {
			return
		}
		if len(c.Addresses) == 0 || c.Camera == "" {
			t.Errorf("%x is read as %v", body, c)
		}
		if again, err := Parse(c.Text()); err != nil || again.Text() != c.Text() {
			t.Errorf("%x: %v", body, err)
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"version":1,"door":{"pin":"sha256:00","listen":"[::]:1","scheme":"mqtts"},"invitations":[{"id":"00","camera":"a","secret":"","expires":"2026-01-01T00:00:00Z","tries_left":5}]}`))
	f.Add([]byte(`{"version":1,"invitations":[null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := parseFile(text); err == nil {
			p.find("x")
		}
	})
}

// deaf is a connection of which one side is fixed.
type deaf struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (d *deaf) Read(p []byte) (int, error)  { return d.in.Read(p) }
func (d *deaf) Write(p []byte) (int, error) { return d.out.Write(p) }
func (d *deaf) SetDeadline(time.Time) error { return nil }
func (d *deaf) RemoteAddr() net.Addr        { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1} }

// FuzzHub sends any request to a hub: none makes an account.
func FuzzHub(f *testing.F) {
	e := open(f)
	code := e.invite(f, "front")
	post := func(body string) []byte {
		return fmt.Appendf(nil, "POST /join HTTP/1.1\r\nHost: hub\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	f.Add(post(`{"invitation":"` + code.Invitation() + `","secret":"AAAA","token":"` + access.NewToken() + `"}`))
	f.Add(post(strings.Repeat("x", maxBody+1)))
	f.Add([]byte("GET /join HTTP/1.1\r\nHost: hub\r\n\r\nGET /join HTTP/1.1\r\nHost: hub\r\n\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		d := &deaf{in: bytes.NewReader(said)}
		e.serve(d)
		if e.named(t, "front") {
			t.Errorf("%q made an account", said)
		}
	})
}

// FuzzNode reads any answer of a hub.
func FuzzNode(f *testing.F) {
	f.Add([]byte(`{"scheme":"mqtts","base":"cam"}`))
	f.Add([]byte(`{"error":"spent"}`))
	f.Fuzz(func(t *testing.T, said []byte) {
		var a answer
		if json.Unmarshal(said, &a) == nil {
			_, _ = a.credentials(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}, sample(), []string{"hub:8883"})
			_ = reason(a.Error)
		}
	})
}
