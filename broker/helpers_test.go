package broker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
)

// quiet is a log that nobody reads.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// running is a broker that serves on a loopback port until the test ends.
type running struct {
	*Broker
	addr string
	stop func() // ends Serve and waits for it
}

// start serves a broker. Options without Log get one that nobody reads; as says who a
// client is, if it shall not be decided by its address.
func start(t testing.TB, o Options, as ...func(*conn) access.Principal) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if o.Log == nil {
		o.Log = quiet()
	}
	o.Listeners = append(o.Listeners, l)
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range as {
		b.identify = func(c *conn, _, _ string) (access.Principal, error) {
			p := f(c)
			if p.Role == access.Nobody {
				return p, access.ErrNone
			}
			return p, nil
		}
	}
	return serve(t, b, l.Addr().String())
}

// local is who clients of this machine are unless a test says otherwise.
func local(*conn) access.Principal { return access.Principal{Role: access.Anyone} }

func serve(t testing.TB, b *Broker, addr string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx) }() // ends with ctx
	stopped := false
	r := &running{Broker: b, addr: addr}
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(testkit.Patience):
			t.Errorf("Serve did not end within %s", testkit.Patience)
		}
	}
	t.Cleanup(r.stop)
	return r
}

// receivers gives how many clients have a subscription that matches a topic.
func receivers(subs *subscriptions, topic string) int {
	each, _ := subs.matching(topic)
	return len(each)
}

// client speaks raw MQTT.
type client struct {
	c  net.Conn
	r  *bufio.Reader
	v  byte
	id uint16
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return newClient(c)
}

func newClient(c net.Conn) *client {
	return &client{c: c, r: bufio.NewReaderSize(c, 4096), v: 4}
}

type option func(*packets.Packet)

func connectPacket(id string, v byte, o ...option) packets.Packet {
	pk := packets.Packet{
		ProtocolVersion: v,
		FixedHeader:     packets.FixedHeader{Type: packets.Connect},
		Connect:         packets.ConnectParams{ProtocolName: []byte("MQTT"), ClientIdentifier: id, Clean: true, Keepalive: 60},
	}
	for _, f := range o {
		f(&pk)
	}
	return pk
}

func persistent(seconds uint32) option {
	return func(p *packets.Packet) {
		p.Connect.Clean = false
		p.Properties.SessionExpiryInterval, p.Properties.SessionExpiryIntervalFlag = seconds, true
	}
}

func withWill(topic, payload string, retain bool) option {
	return func(p *packets.Packet) {
		p.Connect.WillFlag, p.Connect.WillTopic, p.Connect.WillPayload, p.Connect.WillRetain = true, topic, []byte(payload), retain
	}
}

// try connects and gives the CONNACK, or the error in its place.
func (c *client) try(id string, v byte, o ...option) (packets.Packet, error) {
	c.v = v
	if err := c.send(connectPacket(id, v, o...)); err != nil {
		return packets.Packet{}, err
	}
	return c.recv(testkit.Patience)
}

// join connects and wants to be accepted.
func join(t testing.TB, addr, id string, v byte, o ...option) *client {
	t.Helper()
	c := dial(t, addr)
	c.joins(t, id, v, o...)
	return c
}

func (c *client) joins(t testing.TB, id string, v byte, o ...option) {
	t.Helper()
	ack, err := c.try(id, v, o...)
	if err != nil {
		t.Fatalf("%s: no CONNACK: %v", id, err)
	}
	if ack.FixedHeader.Type != packets.Connack || ack.ReasonCode != 0 {
		t.Fatalf("%s: got %s with code %#x, wanted CONNACK with 0", id, packets.PacketNames[ack.FixedHeader.Type], ack.ReasonCode)
	}
}

func (c *client) send(pk packets.Packet) error {
	b, err := encode(pk, c.v)
	if err != nil {
		return err
	}
	_, err = c.c.Write(b)
	return err
}

func encode(pk packets.Packet, v byte) ([]byte, error) {
	var b bytes.Buffer
	pk.ProtocolVersion, pk.Mods.AllowResponseInfo = v, true
	var err error
	switch pk.FixedHeader.Type {
	case packets.Connect:
		err = pk.ConnectEncode(&b)
	case packets.Publish:
		err = pk.PublishEncode(&b)
	case packets.Subscribe:
		pk.FixedHeader.Qos = 1
		err = pk.SubscribeEncode(&b)
	case packets.Unsubscribe:
		pk.FixedHeader.Qos = 1
		err = pk.UnsubscribeEncode(&b)
	case packets.Puback:
		err = pk.PubackEncode(&b)
	case packets.Pubrec:
		err = pk.PubrecEncode(&b)
	case packets.Pubrel:
		pk.FixedHeader.Qos = 1
		err = pk.PubrelEncode(&b)
	case packets.Pubcomp:
		err = pk.PubcompEncode(&b)
	case packets.Disconnect:
		err = pk.DisconnectEncode(&b)
	case packets.Pingreq:
		err = pk.PingreqEncode(&b)
	default:
		err = fmt.Errorf("no way to encode packet type %d", pk.FixedHeader.Type)
	}
	return b.Bytes(), err
}

// recv reads one packet.
func (c *client) recv(d time.Duration) (pk packets.Packet, err error) {
	_ = c.c.SetReadDeadline(time.Now().Add(d))
	b, err := c.r.ReadByte()
	if err != nil {
		return pk, err
	}
	if err := pk.FixedHeader.Decode(b); err != nil {
		return pk, err
	}
	pk.FixedHeader.Remaining, _, err = packets.DecodeLength(c.r)
	if err != nil {
		return pk, err
	}
	p := make([]byte, pk.FixedHeader.Remaining)
	if _, err := io.ReadFull(c.r, p); err != nil {
		return pk, err
	}
	pk.ProtocolVersion = c.v
	switch pk.FixedHeader.Type {
	case packets.Connack:
		err = pk.ConnackDecode(p)
	case packets.Publish:
		err = pk.PublishDecode(p)
	case packets.Suback:
		err = pk.SubackDecode(p)
	case packets.Unsuback:
		err = pk.UnsubackDecode(p)
	case packets.Puback:
		err = pk.PubackDecode(p)
	case packets.Pubrec:
		err = pk.PubrecDecode(p)
	case packets.Pubrel:
		err = pk.PubrelDecode(p)
	case packets.Pubcomp:
		err = pk.PubcompDecode(p)
	case packets.Disconnect:
		if err = pk.DisconnectDecode(p); len(p) == 1 { // a form that the library does not know
			pk.ReasonCode = p[0]
		}
	}
	return pk, err
}

// want reads until a packet of one type comes.
func (c *client) want(t testing.TB, typ byte) packets.Packet {
	t.Helper()
	for {
		pk, err := c.recv(testkit.Patience)
		if err != nil {
			t.Fatalf("waiting for %s: %v", packets.PacketNames[typ], err)
		}
		if pk.FixedHeader.Type == typ {
			return pk
		}
	}
}

// subscribe gives the reason codes. Filters may carry options by mods.
func (c *client) subscribe(t testing.TB, qos byte, filters ...string) []byte {
	t.Helper()
	var fs packets.Subscriptions
	for _, f := range filters {
		fs = append(fs, packets.Subscription{Filter: f, Qos: qos})
	}
	return c.subscribeTo(t, fs, packets.Properties{})
}

func (c *client) subscribeTo(t testing.TB, fs packets.Subscriptions, p packets.Properties) []byte {
	t.Helper()
	c.id++
	if err := c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: c.id, Filters: fs, Properties: p}); err != nil {
		t.Fatal(err)
	}
	return c.want(t, packets.Suback).ReasonCodes
}

func (c *client) publish(t testing.TB, topic string, payload []byte, qos byte, retain bool) {
	t.Helper()
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos, Retain: retain}, TopicName: topic, Payload: payload}
	if qos > 0 {
		c.id++
		pk.PacketID = c.id
	}
	if err := c.send(pk); err != nil {
		t.Fatalf("publish to %s: %v", topic, err)
	}
}

// sync makes sure that everything sent so far was processed.
func (c *client) sync(t testing.TB) {
	t.Helper()
	if err := c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}}); err != nil {
		t.Fatal(err)
	}
	c.want(t, packets.Pingresp)
}

// message waits for the next PUBLISH, acknowledging QoS 1.
func (c *client) message(t testing.TB) packets.Packet {
	t.Helper()
	pk := c.want(t, packets.Publish)
	c.ack(pk)
	return pk
}

func (c *client) ack(pk packets.Packet) {
	if pk.FixedHeader.Qos == 1 {
		_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: pk.PacketID})
	}
}

// drained gives what has come by the time a PINGREQ is answered, as topic=payload.
func (c *client) drained(t testing.TB) (out []string) {
	t.Helper()
	if err := c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}}); err != nil {
		t.Fatal(err)
	}
	for {
		pk, err := c.recv(testkit.Patience)
		if err != nil {
			t.Fatalf("waiting for PINGRESP: %v", err)
		}
		switch pk.FixedHeader.Type {
		case packets.Pingresp:
			return out
		case packets.Publish:
			c.ack(pk)
			out = append(out, pk.TopicName+"="+string(pk.Payload))
		}
	}
}

// closedBy wants the broker to end the connection; anything before that is skipped.
func (c *client) closedBy(t testing.TB) {
	t.Helper()
	end := time.Now().Add(testkit.Patience)
	for {
		if _, err := c.recv(time.Until(end)); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatalf("connection still open after %s", testkit.Patience)
			}
			return
		}
	}
}

// certificate makes one for localhost that only its own pool trusts.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
