package mqttclient_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
)

// strict is a broker that does not let a client read everything.
type strict struct {
	secret string // filters that begin so are refused
	ends   bool   // by ending the connection, as some brokers do
	late   bool   // it ends a connection on which anything follows the CONNECT at once
	code   byte   // of the CONNACK

	mu    sync.Mutex
	asked [][]string // the filters of every SUBSCRIBE
	dials int
}

func (s *strict) dial(context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	s.mu.Lock()
	s.dials++
	s.mu.Unlock()
	go s.serve(far) // ends with the pipe
	return near, nil
}

func (s *strict) serve(far net.Conn) {
	defer far.Close()
	r := bufio.NewReader(far)
	for {
		head, err := r.ReadByte()
		if err != nil {
			return
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		switch head >> 4 {
		case 1:
			if s.late {
				_ = far.SetReadDeadline(time.Now().Add(time.Second))
				if _, err := r.Peek(1); err == nil {
					return
				}
				_ = far.SetReadDeadline(time.Time{})
			}
			far.Write([]byte{0x20, 2, 0, s.code})
			if s.code != 0 {
				return
			}
		case 8:
			answer, ok := s.subscribe(body)
			if !ok {
				return
			}
			far.Write(answer)
		case 12:
			far.Write([]byte{0xd0, 0})
		}
	}
}

// subscribe answers to a SUBSCRIBE, or not.
func (s *strict) subscribe(body []byte) (answer []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer = []byte{0x90, 0, body[0], body[1]}
	var filters []string
	for b := body[2:]; len(b) > 2; {
		n := int(binary.BigEndian.Uint16(b))
		f := string(b[2 : 2+n])
		filters = append(filters, f)
		code := byte(0)
		if s.secret != "" && strings.HasPrefix(f, s.secret) {
			code = 0x80
		}
		answer = append(answer, code)
		b = b[3+n:]
	}
	s.asked = append(s.asked, filters)
	answer[1] = byte(len(answer) - 2)
	return answer, !s.ends || !slices.Contains(answer[4:], 0x80)
}

func (s *strict) packets() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// A filter that was added and is refused is not asked again: the link comes back
// without it.
func TestRefusedFilterIsForgotten(t *testing.T) {
	for name, ends := range map[string]bool{"by a code": false, "by the end of the connection": true} {
		t.Run(name, func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				b := &strict{secret: "secret", ends: ends}
				l := serve(t, mqttclient.Options{ClientID: "a", Dial: b.dial, Subscriptions: []mqttclient.Subscription{{Filter: "x"}, {Filter: "may", Optional: true}}})
				await(t, l)
				err := <-l.Subscribe(t.Context(), mqttclient.Subscription{Filter: "secret/a"}, mqttclient.Subscription{Filter: "open"})
				var refused *mqttclient.RefusedError
				if !ends && (!errors.As(err, &refused) || !slices.Equal(refused.Filters, []string{"secret/a"})) {
					t.Errorf("got %v, want what was refused", err)
				}
				if ends && !errors.Is(err, mqttclient.ErrDown) {
					t.Errorf("got %v, want %v", err, mqttclient.ErrDown)
				}
				time.Sleep(5 * time.Minute) // in which the link comes back, if it can
				if !l.Connected() {
					t.Fatal("the link does not come back")
				}
				packets := b.packets()
				if ends && !slices.ContainsFunc(packets[2:], func(p []string) bool { return slices.Contains(p, "open") }) {
					t.Errorf("what is not refused is not asked again: %v", packets)
				}
			})
		})
	}
}

// One SUBSCRIBE has as many filters as every broker takes.
func TestFiltersPerPacket(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		b := new(strict)
		var subs []mqttclient.Subscription
		for _, f := range strings.Split("a b c d e f g h i j k", " ") {
			subs = append(subs, mqttclient.Subscription{Filter: f})
		}
		l := serve(t, mqttclient.Options{ClientID: "a", Dial: b.dial, Subscriptions: subs})
		await(t, l)
		if p := b.packets(); len(p) != 2 || len(p[0]) != 8 || len(p[1]) != 3 {
			t.Errorf("asked %v", p)
		}
	})
}

// An eager link is up before the broker has said anything, and what the broker says in the
// end is what it ends with.
func TestEager(t *testing.T) {
	for name, c := range map[string]struct {
		broker *strict
		want   error
		says   string
	}{
		"accepted":                    {&strict{}, nil, ""},
		"wrong password":              {&strict{code: 4}, mqttclient.ErrDown, "refused the user name or password"},
		"a broker that does not bear": {&strict{late: true}, mqttclient.ErrUnanswered, ""},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				up := make(chan time.Time, 1)
				l, err := mqttclient.New(mqttclient.Options{
					ClientID: "a", Username: "u", Dial: c.broker.dial, OneShot: true, Eager: true, Log: testkit.Log(t),
					Up:            func() { up <- time.Now() },
					Subscriptions: []mqttclient.Subscription{{Filter: "x"}},
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
				defer stop()
				done := make(chan error, 1)
				go func() { done <- l.Serve(ctx) }() // ends with ctx
				began := time.Now()
				err = <-done
				if err == nil && (<-up).Sub(began) > 0 {
					t.Error("it is not up at once")
				}
				if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("ended with %v, want %v with a word on %q", err, c.want, c.says)
				}
				if errors.Is(err, mqttclient.ErrUnanswered) != (c.want == mqttclient.ErrUnanswered) {
					t.Errorf("ended with %v", err)
				}
				time.Sleep(time.Minute) // what the client was given last, it gives up
			})
		})
	}
}

// A WebSocket is not waited for any longer than its user wants.
func TestWebSocketDialEnds(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	l, err := mqttclient.New(mqttclient.Options{URLs: []string{"ws://" + silent.Addr().String()}, ClientID: "a", Log: testkit.Log(t), Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx) }() // ends with stop
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
