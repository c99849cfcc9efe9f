package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"camqtt/internal/wire"
)

// session is one connection from CONNECT to its end. Paho can reconnect by
// itself, but then it sends unacknowledged messages again and reports QoS-0
// messages as sent that were thrown away; so every connection gets a client of
// its own and ends with it.
type session struct {
	client mqtt.Client
	owes   atomic.Bool // ends without a word, see close
	conn   net.Conn
	limit  time.Duration // of an acknowledgement that nobody else bounds
	lost   chan struct{} // closed when the connection has ended

	once  sync.Once
	cause error

	turn  chan struct{} // held while messages are handed over
	acks  chan mqtt.Message
	acked chan struct{} // closed when nothing is acknowledged any more
}

// maxAcks is how many messages that came may wait for their acknowledgement. Further
// ones are not read until it has left.
const maxAcks = 1024

var errNoAck = errors.New("the broker did not acknowledge in time")

// open does the MQTT handshake on conn, which it owns from here on.
func (l *Link) open(ctx context.Context, conn net.Conn, where string) (*session, error) {
	s := &session{
		conn: conn, lost: make(chan struct{}), limit: l.opts.Timeout, turn: make(chan struct{}, 1),
		acks: make(chan mqtt.Message, maxAcks), acked: make(chan struct{}),
	}
	user, password := l.credentials(where)
	o := mqtt.NewClientOptions().
		AddBroker("tcp://broker"). // never dialled: the connection is open already
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return conn, nil }).
		SetProtocolVersion(4).SetClientID(l.opts.ClientID).
		SetUsername(user).SetPassword(password).
		SetCleanSession(true). // topics.md: clean session
		SetAutoReconnect(false).SetConnectRetry(false).
		SetKeepAlive(l.opts.KeepAlive).SetPingTimeout(l.opts.KeepAlive / 2).
		SetConnectTimeout(l.opts.Timeout). // writes are bounded by pulse
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { s.end(err) }).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { l.receive(m); s.ack(m) }).
		SetAutoAckDisabled(true)
	if w := l.opts.Will; w != nil {
		o.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retained)
	}
	s.client = mqtt.NewClient(o)
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })
	defer stop()
	t := s.client.Connect()
	<-t.Done() // bounded by the connect timeout and by ctx, through the socket's deadline
	if err := t.Error(); err != nil {
		conn.Close()
		return nil, connectError(err, user != "")
	}
	go s.acknowledge() // ends with the connection; close waits
	return s, nil
}

// ack has a message acknowledged. The acknowledgement leaves behind what is being
// sent, which may be a picture that takes half a minute; whoever waited for that
// would not hear the next command, not even the one that ends the pictures.
func (s *session) ack(m mqtt.Message) {
	if m.Qos() == 0 {
		return
	}
	select {
	case s.acks <- m:
	case <-s.lost:
	}
}

// acknowledge acknowledges messages in the order in which they came. [MQTT-4.6.0-2]
func (s *session) acknowledge() {
	defer close(s.acked)
	for {
		select {
		case m := <-s.acks:
			m.Ack()
		case <-s.lost:
			return
		}
	}
}

func (l *Link) receive(m mqtt.Message) {
	if l.opts.Receive != nil {
		l.opts.Receive(wire.Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retained: m.Retained()})
	}
}

// connectError turns the client's words into what a person can act on.
func connectError(err error, account bool) error {
	text := strings.ToLower(err.Error())
	switch {
	case strings.Contains(text, "not authorized") && !account:
		return fmt.Errorf("the broker wants an account and none was given: want mqtt://USER@HOST with --password-file, or mqtt.username and mqtt.password_file (%w)", err)
	case strings.Contains(text, "not authorized"), strings.Contains(text, "bad user name"):
		return fmt.Errorf("the broker refused the user name or password (%w)", err)
	case strings.Contains(text, "server unavailable"):
		return fmt.Errorf("the broker takes nobody now; it says so too after several wrong passwords, for a minute (%w)", err)
	case strings.Contains(text, "identifier"):
		return fmt.Errorf("the broker refused the client id (%w)", err)
	}
	return err
}

func (s *session) end(err error) {
	s.once.Do(func() {
		if err == nil {
			err = errors.New("closed")
		}
		s.cause = err
		close(s.lost)
	})
}

// why returns the cause of the end; only after lost is closed.
func (s *session) why() error { return s.cause }

// publish hands messages over when those of others have been, and waits for
// acknowledgements when the line has taken them all: what is behind a picture on a
// slow line is not late.
func (s *session) publish(ctx context.Context, msgs []wire.Message) error {
	tokens := make([]mqtt.Token, 0, len(msgs))
	err := s.handOver(ctx, msgs, func(t mqtt.Token) { tokens = append(tokens, t) })
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 3*s.limit, errNoAck)
	defer cancel()
	for i, t := range tokens {
		if err := s.wait(ctx, t); err != nil {
			if errors.Is(err, errNoAck) { // this connection is of no use any more
				s.conn.Close()
			}
			return fmt.Errorf("publish %s: %w", msgs[i].Topic, err)
		}
	}
	return nil
}

// handOver gives messages to the client, one after the other, and returns when the
// line has taken those of QoS 0.
func (s *session) handOver(ctx context.Context, msgs []wire.Message, handed func(mqtt.Token)) error {
	if len(msgs) == 0 {
		return nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-s.lost:
		return fmt.Errorf("publish %s: %w", msgs[0].Topic, ErrDown)
	case <-ctx.Done():
		return fmt.Errorf("publish %s: %w", msgs[0].Topic, context.Cause(ctx))
	}
	for _, m := range msgs {
		t, err := s.hand(ctx, m)
		if err == nil && m.QoS == 0 {
			err = s.wait(ctx, t)
		}
		if err != nil {
			return fmt.Errorf("publish %s: %w", m.Topic, err)
		}
		handed(t)
	}
	return nil
}

// hand gives one message to the client. The client waits for the line without
// noticing that it has gone; so that is done aside.
func (s *session) hand(ctx context.Context, m wire.Message) (mqtt.Token, error) {
	given := make(chan mqtt.Token, 1)
	go func() { // ends when the client has taken it, half a minute after the line has gone at the latest
		given <- s.client.Publish(m.Topic, m.QoS, m.Retained, m.Payload)
	}()
	select {
	case t := <-given:
		return t, nil
	case <-s.lost:
		return nil, ErrDown
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *session) subscribe(ctx context.Context, subs ...Subscription) error {
	if len(subs) == 0 {
		return nil
	}
	filters, optional := make(map[string]byte, len(subs)), map[string]bool{}
	for _, sub := range subs {
		filters[sub.Filter], optional[sub.Filter] = sub.QoS, sub.Optional
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, errors.New("the broker did not answer in time"))
	defer cancel()
	t := s.client.SubscribeMultiple(filters, nil)
	if err := s.wait(ctx, t); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if st, ok := t.(*mqtt.SubscribeToken); ok {
		for f, code := range st.Result() {
			if code > 2 && !optional[f] { // [MQTT-3.9.3-2]: 0x80 is a failure
				return fmt.Errorf("subscribe to %s: refused by the broker (code 0x%02x): this account may not read it", f, code)
			}
		}
	}
	return nil
}

func (s *session) unsubscribe(ctx context.Context, filters []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, errors.New("the broker did not answer in time"))
	defer cancel()
	if err := s.wait(ctx, s.client.Unsubscribe(filters...)); err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	return nil
}

// wait returns when a token is done, the connection has ended, or ctx is done.
func (s *session) wait(ctx context.Context, t mqtt.Token) error {
	select {
	case <-t.Done():
		if err := t.Error(); err != nil {
			return fmt.Errorf("%w (%w)", err, ErrDown)
		}
		return nil
	case <-s.lost:
		return ErrDown
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
