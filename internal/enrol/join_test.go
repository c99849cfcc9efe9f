package enrol

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// A join string gives a node an account that is good for its camera and no other, and
// nothing of it is in a log or a file of the hub.
func TestJoin(t *testing.T) {
	e := open(t)
	code := e.invite(t, "front")
	again, err := Parse("  " + code.Text()[:40] + "\r\n " + code.Text()[40:] + "\n")
	if err != nil {
		t.Fatal(err)
	}
	got, err := take(t, again)
	if err != nil {
		t.Fatal(err)
	}
	if got.Camera != "front" || got.Base != "site/cam" || got.Prefix != "ha" || got.Pin == nil || *got.Pin != e.pin ||
		len(got.URLs) != 1 || got.URLs[0] != "mqtts://"+e.addr || got.Invitation != code.Invitation() {
		t.Errorf("credentials %+v", got)
	}
	if !e.named(t, "front") {
		t.Fatal("there is no account")
	}
	p, err := e.accounts.Identify(t.Context(), access.Attempt{User: "front", Secret: got.Token, From: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}})
	if err != nil || p.Role != access.Camera || len(p.Cameras) != 1 || p.Cameras[0] != "front" || p.All {
		t.Errorf("the account is %+v, %v", p, err)
	}
	if _, err := take(t, code); !errors.Is(err, ErrUsed) {
		t.Errorf("a second time: %v", err)
	}
	testkit.Until(t, "the log says that it has joined", func() bool {
		return strings.Contains(e.log.String(), `msg="camera joined" part=enrolment cam=front`)
	})
	file, err := os.ReadFile(string(e.invites))
	if err != nil {
		t.Fatal(err)
	}
	text := code.Text()
	for what, s := range map[string]string{"log": e.log.String(), "file": string(file)} {
		for _, secret := range []string{text, text[len(text)-30:], got.Token, string(code.Secret[:])} {
			if strings.Contains(s, secret) {
				t.Errorf("a secret is in the %s:\n%s", what, s)
			}
		}
	}
	if m := mode(t, string(e.invites)); m != 0o600 {
		t.Errorf("invitations have mode %04o", m)
	}
}

// Every way to use an invitation that is not good is refused with its reason, over real
// TLS, and makes no account.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, e *entrance, c *Code)
		want  error
	}{
		"replay": {func(t *testing.T, e *entrance, c *Code) {
			if _, err := take(t, *c); err != nil {
				t.Fatal(err)
			}
			if err := access.Remove(e.file, "front"); err != nil { // so that nothing else refuses it
				t.Fatal(err)
			}
			if err := e.accounts.Reload(); err != nil {
				t.Fatal(err)
			}
		}, ErrUsed},
		"expired": {func(t *testing.T, e *entrance, _ *Code) {
			e.rewrite(t, func(i *invitation) { i.Expires = time.Now().Add(-time.Second) })
		}, ErrExpired},
		"a clock that was set back": {func(t *testing.T, e *entrance, _ *Code) {
			e.rewrite(t, func(i *invitation) { i.Expires = time.Now().Add(Life + time.Hour) })
		}, ErrExpired},
		"wrong secret":  {func(_ *testing.T, _ *entrance, c *Code) { c.Secret[15] ^= 1 }, ErrWrong},
		"another's":     {func(t *testing.T, e *entrance, c *Code) { c.Secret = e.invite(t, "yard").Secret }, ErrWrong},
		"never made":    {func(_ *testing.T, _ *entrance, c *Code) { c.ID[0] ^= 1 }, ErrUnknown},
		"replaced":      {func(t *testing.T, e *entrance, _ *Code) { e.invite(t, "front") }, ErrReplaced},
		"six tries":     {func(t *testing.T, e *entrance, c *Code) { e.guess(t, *c, 5) }, ErrSpent},
		"no room there": {func(t *testing.T, e *entrance, _ *Code) { e.occupy(t) }, ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t)
			code := e.invite(t, "front")
			c.spoil(t, e, &code)
			before, _ := os.ReadFile(e.file)
			got, err := take(t, code)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if got.Token != "" {
				t.Error("the node was given credentials")
			}
			if after, _ := os.ReadFile(e.file); !bytes.Equal(before, after) {
				t.Errorf("the accounts have changed from\n%s\nto\n%s", before, after)
			}
		})
	}
}

// guess tries wrong secrets, each from another address so that nothing but the
// invitation counts them.
func (e *entrance) guess(t *testing.T, c Code, n int) {
	t.Helper()
	for i := range n {
		wrong := c.Secret
		wrong[i] ^= 0x80
		if g := e.knock(t, net.IPv4(127, 0, 1, byte(i+1)).String(), c.Invitation(), wrong[:]); g.Error != "wrong" {
			t.Fatalf("guess %d: %+v", i+1, g)
		}
	}
}

// occupy makes an account of the invited camera behind the invitation's back.
func (e *entrance) occupy(t *testing.T) {
	t.Helper()
	if _, err := access.Add(e.file, access.Account{Name: "front", Role: access.Camera, Cameras: []wire.ID{"front"}, Token: true}, ""); err != nil {
		t.Fatal(err)
	}
	if err := e.accounts.Reload(); err != nil {
		t.Fatal(err)
	}
}

// Four wrong guesses leave the owner of the right secret his invitation.
func TestFourGuessesAreBorne(t *testing.T) {
	e := open(t)
	code := e.invite(t, "front")
	e.guess(t, code, 4)
	if _, err := take(t, code); err != nil {
		t.Error(err)
	}
}

// Guessing is limited by address, together with passwords.
func TestGuessesCountWithPasswords(t *testing.T) {
	e := open(t)
	code := e.invite(t, "front")
	const bad, good = "127.0.2.1", "127.0.2.2"
	for i := range 5 {
		if g := e.knock(t, bad, "0123456789ab", []byte("x")); g.Error != "unknown" {
			t.Fatalf("guess %d: %+v", i+1, g)
		}
	}
	if g := e.knock(t, bad, code.Invitation(), code.Secret[:]); g.Error != "slow" {
		t.Errorf("the sixth from one address, even a right one: %+v", g)
	}
	var slow *access.Slow
	if _, err := e.accounts.Identify(t.Context(), access.Attempt{User: "boss", Secret: "not-the-password", From: &net.TCPAddr{IP: net.ParseIP(bad)}}); !errors.As(err, &slow) {
		t.Errorf("a password from there: %v", err)
	}
	if g := e.knock(t, good, code.Invitation(), code.Secret[:]); g.Error != "" {
		t.Errorf("from elsewhere: %+v", g)
	}
}

// Of two who have the same join string one comes in.
func TestSecondTaker(t *testing.T) {
	e := open(t)
	code := e.invite(t, "front")
	var in, used atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { // ends with the exchange
			switch _, err := (Client{Keep: func(Credentials) error { return nil }, Timeout: testkit.Patience}).Join(t.Context(), code); {
			case err == nil:
				in.Add(1)
			case errors.Is(err, ErrUsed):
				used.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 || used.Load() != 3 {
		t.Errorf("%d came in, %d were refused: want 1 and 3", in.Load(), used.Load())
	}
}

// Somebody in between who does not have the key learns nothing, and the invitation
// stays good.
func TestImpostor(t *testing.T) {
	e := open(t)
	var told atomic.Int64
	listen := func(c *tls.Conn) {
		n, _ := io.Copy(io.Discard, c)
		told.Add(n)
	}
	other, _ := certificate(t)
	code := e.invite(t, "front")
	bad := code
	bad.Addresses = []string{accept(t, Offer(other), listen)}
	if _, err := take(t, bad); !errors.Is(err, errImpostor) {
		t.Errorf("with another key: %v", err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0") // speaks no TLS, and records what it hears
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	heard := make(chan []byte, 1)
	go func() { // ends when the client gives up
		c, err := plain.Accept()
		if err != nil {
			heard <- nil
			return
		}
		defer c.Close()
		b := make([]byte, 4096)
		n, _ := c.Read(b)
		_, _ = io.WriteString(c, "220 hello\r\n")
		heard <- b[:n]
	}()
	bad.Addresses = []string{plain.Addr().String()}
	if _, err := take(t, bad); err == nil || errors.Is(err, ErrUnconfirmed) {
		t.Errorf("without TLS: %v", err)
	}
	if b := <-heard; bytes.Contains(b, code.Secret[:]) || bytes.Contains(b, []byte(code.Invitation())) {
		t.Error("the secret was sent in the clear")
	}
	if told.Load() != 0 {
		t.Errorf("the one with another key was told %d bytes", told.Load())
	}
	code.Addresses = append([]string{"127.0.0.1:1"}, append(bad.Addresses, e.addr)...)
	plain.Close()
	got, err := take(t, code)
	if err != nil || len(got.URLs) != 3 || got.URLs[0] != "mqtts://"+e.addr {
		t.Errorf("afterwards, behind addresses that are not the hub's: %v, %v", got.URLs, err)
	}
}

// The hub's key alone is not enough: one that does not know the exchange is told
// nothing.
func TestHubThatTakesNoJoinStrings(t *testing.T) {
	conf, pin := certificate(t)
	var told atomic.Int64
	ended := make(chan struct{})
	addr := accept(t, conf, func(c *tls.Conn) {
		defer close(ended)
		n, _ := io.Copy(io.Discard, c)
		told.Add(n)
	})
	code := newCode("front", Endpoint{Pin: pin}, []string{addr})
	if _, err := take(t, code); err == nil || !strings.Contains(err.Error(), "older camqtt") {
		t.Errorf("got %v", err)
	}
	<-ended
	if told.Load() != 0 {
		t.Errorf("it was told %d bytes", told.Load())
	}
}

// A node that could not keep its token gets no account, so another invitation helps.
func TestNodeThatCannotKeep(t *testing.T) {
	e := open(t)
	full := errors.New("disk full")
	if _, err := (Client{Keep: func(Credentials) error { return full }}).Join(t.Context(), e.invite(t, "front")); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if e.named(t, "front") {
		t.Error("there is an account whose token nobody has")
	}
	if _, err := take(t, e.invite(t, "front")); err != nil {
		t.Errorf("with another invitation: %v", err)
	}
}

// Somebody takes the camera's name while a node keeps its token: the one who was there
// first stays.
func TestNameTakenMeanwhile(t *testing.T) {
	e := open(t)
	c := Client{Keep: func(Credentials) error { e.occupy(t); return nil }, Timeout: testkit.Patience}
	if _, err := c.Join(t.Context(), e.invite(t, "front")); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
}

// A line that breaks before the confirmation leaves the node with a token that is good.
func TestUnconfirmed(t *testing.T) {
	e := open(t)
	var cut atomic.Bool
	code := e.invite(t, "front")
	code.Addresses = []string{relay(t, e.addr, &cut)}
	var kept Credentials
	got, err := Client{Timeout: testkit.Patience, Keep: func(c Credentials) error {
		kept = c
		cut.Store(true)
		return nil
	}}.Join(t.Context(), code)
	if !errors.Is(err, ErrUnconfirmed) || got.Token == "" || got.Token != kept.Token {
		t.Fatalf("got %v", err)
	}
	testkit.Until(t, "the account is there", func() bool { return e.accounts.Named("front") })
	if _, err := e.accounts.Identify(t.Context(), access.Attempt{User: "front", Secret: got.Token}); err != nil {
		t.Errorf("the token is not good: %v", err)
	}
}

// relay passes bytes on until cut, from when nothing comes back.
func relay(t *testing.T, to string, cut *atomic.Bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends when the connection does
		defer close(done)
		near, err := l.Accept()
		if err != nil {
			return
		}
		defer near.Close()
		far, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		defer far.Close()
		go func() { _, _ = io.Copy(far, near) }() // ends when near is closed
		b := make([]byte, 1<<16)
		for {
			n, err := far.Read(b)
			if err != nil || cut.Load() {
				return
			}
			_, _ = near.Write(b[:n])
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// Who waits can be interrupted.
func TestInterrupted(t *testing.T) {
	conf, pin := certificate(t)
	ctx, cancel := context.WithCancel(t.Context())
	addr := accept(t, Offer(conf), func(c *tls.Conn) {
		b := make([]byte, 1)
		_, _ = c.Read(b)
		cancel()
		_, _ = io.Copy(io.Discard, c)
	})
	if _, err := (Client{Keep: func(Credentials) error { return nil }, Timeout: time.Hour}).Join(ctx, newCode("front", Endpoint{Pin: pin}, []string{addr})); err == nil {
		t.Error("no error")
	}
}

// An invitation is of no use for a camera that the hub serves itself, or that has come
// online since.
func TestJoinForCameraInUse(t *testing.T) {
	e := open(t)
	busy := errors.New("front is online")
	e.o.InUse = func(id wire.ID) error {
		if id == "front" {
			return busy
		}
		return nil
	}
	if _, err := take(t, e.invite(t, "front")); !errors.Is(err, ErrInUse) || e.named(t, "front") {
		t.Errorf("joined as a camera in use: %v", err)
	}
	if _, err := e.Invite(t.Context(), access.Principal{Role: access.Admin}, "front"); !errors.Is(err, busy) {
		t.Errorf("invited: %v", err)
	}
	if _, err := take(t, e.invite(t, "shed")); err != nil || !e.named(t, "shed") {
		t.Errorf("another camera: %v", err)
	}
}
