package broker

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Limits bounds what clients may cost. The zero value of a field is its default;
// sizes are bytes.
type Limits struct {
	// Memory is what this process may use; bounds below that are not given are made to
	// fit. 0 is plenty.
	Memory int64

	// Connections is how many are open, over all listeners and Attach. A tenth of them is
	// for cameras only. When all are open, the oldest one that has not sent CONNECT makes
	// room. Default 2000.
	Connections int
	PerListener int // of those, by one listener; default 2000
	PerAddress  int // connections of one IPv4 address or IPv6 /64, loopback exempt; default 128
	// PerAccount is how many connections one account may have open, of clients without an
	// account one IPv4 address or IPv6 /64. A bridge may have its cameras and 8 more. Admins,
	// clients on loopback without an account and parts of this program are exempt. At 80 %
	// the log says so. Default 64.
	PerAccount    int
	ConnectTime   time.Duration // from accept to a complete CONNECT, TLS handshake included; default 10 s
	ConnectPacket int           // size of the CONNECT packet, will included; default 64 KiB
	Packet        int           // size of a PUBLISH; announced to MQTT 5 clients; default 2 MiB
	ControlPacket int           // size of any other packet; default 256 KiB
	PropertyBytes int           // topic and properties of a PUBLISH; default 16 KiB
	InboundBytes  int           // packets over 64 KiB being received, over all connections; default 256 MiB, of Memory an eighth at most
	PacketTime    time.Duration // from a packet's first byte to its last; default 60 s
	// PacketRate is how many packets per second are taken from one connection, and from
	// all of one account four times as many; a client that sends more is read more slowly. Packets
	// that are no PUBLISH count once more for each 16 bytes. Default 5000.
	PacketRate int
	// CommandRate is how many commands per second one account may send to cameras, after
	// CommandBurst at once; a client without an account counts by itself. More are delivered
	// later, and their sender is read more slowly. Default 50 and 200.
	CommandRate, CommandBurst int

	// Keepalive is the longest that an MQTT 5 client may be silent; one that wants longer,
	// or no limit, is told this one [MQTT-3.1.2-21]. Older clients cannot be told, and
	// keep theirs; those that are gone are found by the keepalive of TCP. Default 1 h.
	Keepalive time.Duration

	ClientIDBytes int // length of a client identifier; default 256
	TopicBytes    int // length of a topic or filter; default 512
	TopicLevels   int // levels of a topic or filter; default 16

	Subscriptions int // filters one session may hold; default 4096
	Sessions      int // sessions kept for absent clients, of one account a quarter; the longest absent goes first, of the account that has most; default 1000
	// SessionExpiry is the longest a session outlives its connection; default 1 h.
	// MQTT 5 clients are told [MQTT-3.2.2-21].
	SessionExpiry time.Duration
	Window        int // unacknowledged QoS 1 and 2 messages on their way to one client; default 256
	Queue         int // messages waiting behind the window, per session; default 1000
	QueueBytes    int // size of those messages, and of those in the window; default 8 MiB, of Memory a 32nd at most

	SendBytes    int           // ordinary packets waiting for one connection; default 1 MiB, of Memory a 128th at most
	Pictures     int           // picture topics waiting for one connection, one picture each; default 1024
	WriteTimeout time.Duration // a connection that takes no 64 KiB in this time is closed; default 20 s

	RetainedMessages int // retained messages; default 20000
	RetainedBytes    int // their size; default 128 MiB, of Memory a fifth at most: a picture may take up to twice its size
	RetainedMessage  int // size of one retained message that is no picture; default 256 KiB

	// StoreEvery is the shortest pause between writes of retained messages; default 2 s.
	// It is what a crash can lose, but for topics that change often.
	StoreEvery time.Duration
	// StoreSlow is the shortest pause between writes that one topic causes, and what a
	// crash can lose of one that changes often, such as a camera's state while it is
	// watched. Removing a message, and a camera's status, never wait so long. With the
	// default of 1 min a wall of streaming cameras costs an SD card one write a minute.
	StoreSlow time.Duration

	SystemEvery time.Duration // pause between messages under $SYS; default 10 s
	LogEvery    time.Duration // pause between two log lines of one kind; default 1 min
}

const defaultRetainedMessage = 256 << 10

// DefaultLimits gives the limits that zero values stand for.
func DefaultLimits() Limits {
	l, _ := Limits{}.withDefaults() // cannot fail: nothing is given
	return l
}

// withDefaults fills in what is zero and refuses what makes no sense.
func (l Limits) withDefaults() (Limits, error) {
	if err := errors.Join(l.numbers(), l.times()); err != nil {
		return l, err
	}
	if l.Packet > 256<<20-1 {
		return l, fmt.Errorf("limit Packet is %d, wanted at most %d [MQTT-2.2.3]", l.Packet, 256<<20-1)
	}
	if l.Keepalive < time.Second || l.Keepalive > math.MaxUint16*time.Second {
		return l, fmt.Errorf("limit Keepalive is %s, wanted 1s to %s [MQTT-3.2.2.3.14]", l.Keepalive, math.MaxUint16*time.Second)
	}
	// Half of the packet identifiers, so that a free one is found soon.
	if l.Window > math.MaxInt16 {
		return l, fmt.Errorf("limit Window is %d, wanted at most %d", l.Window, math.MaxInt16)
	}
	return l, nil
}

// part is a bound in bytes: n, or a part of the memory where that is less, but never less
// than what a small hub needs.
func (l *Limits) part(of int64, n int) int {
	const least = 256 << 10
	if l.Memory <= 0 {
		return n
	}
	return int(min(int64(n), max(l.Memory/of, least)))
}

func (l *Limits) numbers() error {
	for _, f := range []struct {
		name string
		v    *int
		def  int
	}{
		{"Connections", &l.Connections, 2000},
		{"PerListener", &l.PerListener, 2000},
		{"PerAddress", &l.PerAddress, 128},
		{"PerAccount", &l.PerAccount, 64},
		{"ConnectPacket", &l.ConnectPacket, 64 << 10},
		{"Packet", &l.Packet, 2 << 20},
		{"ControlPacket", &l.ControlPacket, 256 << 10},
		{"PropertyBytes", &l.PropertyBytes, 16 << 10},
		{"InboundBytes", &l.InboundBytes, l.part(8, 256<<20)},
		{"PacketRate", &l.PacketRate, 5000},
		{"CommandRate", &l.CommandRate, 50},
		{"CommandBurst", &l.CommandBurst, 200},
		{"ClientIDBytes", &l.ClientIDBytes, 256},
		{"TopicBytes", &l.TopicBytes, 512},
		{"TopicLevels", &l.TopicLevels, 16},
		{"Subscriptions", &l.Subscriptions, 4096},
		{"Sessions", &l.Sessions, 1000},
		{"Window", &l.Window, 256},
		{"Queue", &l.Queue, 1000},
		{"QueueBytes", &l.QueueBytes, l.part(32, 8<<20)},
		{"SendBytes", &l.SendBytes, l.part(128, 1<<20)},
		{"Pictures", &l.Pictures, 1024},
		{"RetainedMessages", &l.RetainedMessages, 20000},
		{"RetainedBytes", &l.RetainedBytes, l.part(5, 128<<20)},
		{"RetainedMessage", &l.RetainedMessage, defaultRetainedMessage},
	} {
		switch {
		case *f.v < 0:
			return fmt.Errorf("limit %s is %d, wanted 0 (the default, %d) or more", f.name, *f.v, f.def)
		case *f.v == 0:
			*f.v = f.def
		}
	}
	return nil
}

func (l *Limits) times() error {
	for _, f := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"ConnectTime", &l.ConnectTime, 10 * time.Second},
		{"PacketTime", &l.PacketTime, time.Minute},
		{"SessionExpiry", &l.SessionExpiry, time.Hour},
		{"WriteTimeout", &l.WriteTimeout, 20 * time.Second},
		{"Keepalive", &l.Keepalive, time.Hour},
		{"StoreEvery", &l.StoreEvery, 2 * time.Second},
		{"StoreSlow", &l.StoreSlow, time.Minute},
		{"SystemEvery", &l.SystemEvery, 10 * time.Second},
		{"LogEvery", &l.LogEvery, time.Minute},
	} {
		switch {
		case *f.v < 0:
			return fmt.Errorf("limit %s is %s, wanted 0 (the default, %s) or more", f.name, *f.v, f.def)
		case *f.v == 0:
			*f.v = f.def
		}
	}
	return nil
}
