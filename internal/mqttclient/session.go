package mqttclient

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
	"github.com/eclipse/paho.mqtt.golang/packets"

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
	direct *direct
	eager  *eagerConn    // nil when the CONNACK is waited for
	user   bool          // an account was given
	limit  time.Duration // of an acknowledgement without another limit
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
	user, password := l.dialer.credentials(where)
	s.user = user != ""
	if l.opts.Eager {
		s.eager = newEager(conn)
		s.conn, conn = s.eager, s.eager
	}
	conn = closeWatch{conn, s.end}
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
		o.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retained && !l.limiter.limits().NoRetain)
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
	s.direct = newDirect(s.conn, s.end)
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

// refusedBy reports whether an error is what a CONNACK says.
func refusedBy(err error) bool {
	for code := packets.ErrRefusedBadProtocolVersion; code <= packets.ErrRefusedNotAuthorised; code++ {
		if errors.Is(err, packets.ConnErrors[byte(code)]) {
			return true
		}
	}
	return false
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
	case errors.Is(err, errSpeaksTLS), errors.Is(err, errSpeaksHTTP):
	case strings.HasSuffix(text, "eof"), strings.Contains(text, "connection reset"):
		return fmt.Errorf("the program there ended the connection without an answer to CONNECT: it may speak TLS on this port (mqtts://), or not MQTT (%w)", err)
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

// closeWatch ends a session whose connection was closed on this side: the client does
// not report that.
type closeWatch struct {
	net.Conn
	end func(error)
}

func (c closeWatch) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && strings.Contains(err.Error(), net.ErrClosed.Error()) { // as the client compares
		c.end(err)
	}
	return n, err
}

// why returns the cause of the end; only after lost is closed.
func (s *session) why() error {
	if s.eager == nil {
		return s.cause
	}
	s.conn.Close()
	select {
	case <-s.eager.answered:
	case <-time.After(s.limit): // nothing reads any more
		return s.cause
	}
	if refusedBy(s.eager.refusal) {
		return connectError(s.eager.refusal, s.user)
	}
	return s.cause
}

// explain is the error of a connection that has come to its end over its subscriptions.
func (s *session) explain(err error) error {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return err
	}
	told := false // why, by the broker
	if errors.Is(err, ErrDown) {
		s.conn.Close()
		<-s.lost // the client or closeWatch reports the end a moment later
		err = fmt.Errorf("%w (%w)", s.why(), ErrDown)
		told = refusedBy(err)
	}
	if s.eager != nil && !told {
		err = fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	return fmt.Errorf("subscribe: %w", err)
}

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
			if errors.Is(err, errNoAck) { // the connection is of no use any more
				s.end(err)
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
	if isDirect(msgs) {
		for _, m := range msgs {
			if err := s.writeDirect(ctx, m); err != nil {
				return fmt.Errorf("publish %s: %w", m.Topic, err)
			}
		}
		return nil
	}
	for _, m := range msgs {
		t, err := s.give(ctx, func() mqtt.Token { return s.client.Publish(m.Topic, m.QoS, m.Retained, payload(m)) })
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

// give hands a packet to the client. The client waits for the line without noticing that
// it has gone; so that is done aside.
func (s *session) give(ctx context.Context, hand func() mqtt.Token) (mqtt.Token, error) {
	given := make(chan mqtt.Token, 1)
	go func() { given <- hand() }() // ends when the client has taken it, half a minute after the line has gone at the latest
	select {
	case t := <-given:
		return t, nil
	case <-s.lost:
		return nil, ErrDown
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// errNoAnswer is a broker that does not answer a SUBSCRIBE.
var errNoAnswer = errors.New("the broker did not answer in time")

// pendingSubscribe is a SUBSCRIBE that is on its way.
type pendingSubscribe struct {
	s     *session
	asked []Subscription
	token mqtt.Token
}

// subscribe hands a SUBSCRIBE over: what is handed over later follows it.
func (s *session) subscribe(ctx context.Context, subs []Subscription) (*pendingSubscribe, error) {
	filters := make(map[string]byte, len(subs))
	for _, sub := range subs {
		filters[sub.Filter] = sub.QoS
	}
	t, err := s.give(ctx, func() mqtt.Token { return s.client.SubscribeMultiple(filters, nil) })
	if err != nil {
		return nil, err
	}
	return &pendingSubscribe{s, subs, t}, nil
}

// subscribeEach hands one SUBSCRIBE after the other over.
func (s *session) subscribeEach(ctx context.Context, packets [][]Subscription) (asked []*pendingSubscribe, err error) {
	for _, subs := range packets {
		p, err := s.subscribe(ctx, subs)
		if err != nil {
			return nil, err
		}
		asked = append(asked, p)
	}
	return asked, nil
}

// wait returns the filters that the broker has refused.
func (p *pendingSubscribe) wait(ctx context.Context) (refused map[string]bool, err error) {
	if err := p.s.wait(ctx, p.token); err != nil {
		return nil, err
	}
	refused = map[string]bool{}
	if st, ok := p.token.(*mqtt.SubscribeToken); ok {
		for f, code := range st.Result() {
			if code > 2 { // [MQTT-3.9.3-2]: 0x80 is a failure
				refused[f] = true
			}
		}
	}
	return refused, nil
}

// unsubscribe hands an UNSUBSCRIBE over, as far as the connection takes it.
func (s *session) unsubscribe(filters []string) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), s.limit, errNoAnswer)
	defer cancel()
	_, _ = s.give(ctx, func() mqtt.Token { return s.client.Unsubscribe(filters...) })
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
