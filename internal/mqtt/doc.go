// Package mqtt reads, checks and writes MQTT 3.1, 3.1.1 and 5 packets. It has no sockets
// and keeps nothing: a parser is given the bytes of one packet and returns what it read,
// or a [Violation]. What it returns does not share memory with those bytes, except for
// payloads.
//
// The broker and the dashboard use it for what clients send; the dashboard also for what
// another broker sends. Clause numbers such as [MQTT-3.1.2-1] are those of MQTT 5 and,
// where they are the same, of MQTT 3.1.1.
package mqtt

import "fmt"

// Control packet types. MQTT 5, table 2-1.
const (
	Connect     = 1
	Connack     = 2
	Publish     = 3
	Puback      = 4
	Pubrec      = 5
	Pubrel      = 6
	Pubcomp     = 7
	Subscribe   = 8
	Suback      = 9
	Unsubscribe = 10
	Unsuback    = 11
	Pingreq     = 12
	Pingresp    = 13
	Disconnect  = 14
	Auth        = 15
)

// TypeName gives the name of a control packet type.
func TypeName(typ byte) string {
	names := [...]string{
		"Reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
		"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
	}
	return names[typ&15]
}

// Code is a reason code. MQTT 5, table 2-6.
type Code byte

// The reason codes that a broker gives or reacts to.
const (
	Success                 Code = 0x00
	DisconnectWithWill      Code = 0x04
	NoMatchingSubscribers   Code = 0x10
	NoSubscriptionExisted   Code = 0x11
	UnspecifiedError        Code = 0x80
	MalformedPacket         Code = 0x81
	ProtocolError           Code = 0x82
	UnsupportedVersion      Code = 0x84
	InvalidClientID         Code = 0x85
	BadUserNameOrPassword   Code = 0x86
	NotAuthorized           Code = 0x87
	ServerBusy              Code = 0x89
	ServerShuttingDown      Code = 0x8b
	BadAuthenticationMethod Code = 0x8c
	SessionTakenOver        Code = 0x8e
	InvalidTopicFilter      Code = 0x8f
	InvalidTopicName        Code = 0x90
	ReceiveMaximumExceeded  Code = 0x93
	InvalidTopicAlias       Code = 0x94
	PacketTooLarge          Code = 0x95
	QuotaExceeded           Code = 0x97
	ConnectionRateExceeded  Code = 0x9f
)

// Failed reports whether the code says that something was refused or went wrong.
func (c Code) Failed() bool { return c >= UnspecifiedError }

// Violation is how a packet breaks the protocol. MQTT 5 clients are told the code; a
// code of 0 means that they are told nothing.
type Violation struct {
	Code   Code
	Reason string
}

// Error gives the reason.
func (v *Violation) Error() string { return v.Reason }

// malformed is a violation of a packet's form. [MQTT-4.13.1-1]
func malformed(reason string) *Violation { return &Violation{MalformedPacket, reason} }

// forbidden is a well-formed packet that must not be sent.
func forbidden(reason string) *Violation { return &Violation{ProtocolError, reason} }

// String gives the name of a reason for which a CONNECT is refused, and the number of
// others.
func (c Code) String() string {
	switch c {
	case UnsupportedVersion:
		return "unsupported protocol version"
	case InvalidClientID:
		return "client identifier not valid"
	case BadUserNameOrPassword:
		return "bad user name or password"
	case NotAuthorized:
		return "not authorized"
	case ServerBusy:
		return "server busy"
	case BadAuthenticationMethod:
		return "bad authentication method"
	case InvalidTopicName:
		return "topic name invalid"
	case QuotaExceeded:
		return "quota exceeded"
	case ConnectionRateExceeded:
		return "connection rate exceeded"
	}
	return fmt.Sprintf("reason code 0x%02x", byte(c))
}
