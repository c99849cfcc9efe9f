package mqtt

import "encoding/binary"

// Flags of CONNECT. MQTT 5, section 3.1.2.3; the same in 3.1.1.
const (
	flagCleanStart = 0x02
	flagWill       = 0x04
	flagWillRetain = 0x20
	flagPassword   = 0x40
	flagUserName   = 0x80
)

// ConnectPacket is a CONNECT. MQTT 5, section 3.1.
type ConnectPacket struct {
	Version   byte // 3, 4 or 5
	Clean     bool
	KeepAlive uint16 // seconds
	ClientID  string
	UserName  string
	Password  string
	Props     Properties
	Will      *Will // nil: none

	flagsAt       int // where the flags are in the packet's body
	credentialsAt int // where user name and password begin
}

// Will is the message that a broker publishes when a client has gone without DISCONNECT.
type Will struct {
	Topic   string
	Payload []byte // belongs to the packet
	QoS     byte
	Retain  bool
	Props   Properties
}

// ParseConnect reads a CONNECT. Where it is refused, Version tells in which version's
// form to answer; 0 if it is not MQTT at all. MQTT 3.1 gives a bit that later versions
// reserve no meaning.
func ParseConnect(first byte, body []byte) (c ConnectPacket, bad *Violation) {
	p := parser{rest: body}
	name := string(p.binary())
	c.Version = p.uint8()
	c.flagsAt = len(name) + 3
	flags := p.uint8()
	switch old := name == "MQIsdp"; {
	case p.bad != nil || name != "MQTT" && !old:
		c.Version = 0
		return c, malformed("not MQTT [MQTT-3.1.2-1]")
	case c.Version < 3, c.Version > 5, old != (c.Version == 3):
		if c.Version = max(c.Version, 1); old { // is answered in the form of MQTT 3
			c.Version = min(c.Version, 4)
		}
		return c, &Violation{UnsupportedVersion, "unknown version of MQTT [MQTT-3.1.2-2]"}
	case old:
		flags &^= 1
	}
	checkConnectFlags(&p, c.Version, first, flags)
	c.Clean = flags&flagCleanStart != 0
	c.KeepAlive = p.uint16()
	if c.Version == 5 {
		c.Props = p.properties(inConnect)
	}
	c.ClientID = parseClientID(&p, c.Version)
	if flags&flagWill != 0 {
		c.Will = parseWill(&p, c.Version, flags)
	}
	c.credentialsAt = len(body) - len(p.rest)
	parseCredentials(&p, flags, &c)
	p.end()
	if p.bad == nil && c.Version == 3 && c.ClientID == "" {
		p.fail(&Violation{InvalidClientID, "MQTT 3.1 client without an identifier"})
	}
	return c, p.bad
}

// checkConnectFlags checks the first byte of CONNECT and its flags. [MQTT-3.1.2-3],
// [MQTT-3.1.2-11] to 15, [MQTT-3.1.2-22]
func checkConnectFlags(p *parser, version, first, flags byte) {
	will := flags & 0x3c
	switch {
	case first&15 != 0 && version > 3:
		p.fail(malformed("flags of the first byte are wrong [MQTT-2.1.3-1]"))
	case flags&1 != 0:
		p.fail(malformed("reserved flag is set [MQTT-3.1.2-3]"))
	case will&flagWill == 0 && will != 0, will&0x18 == 0x18:
		p.fail(malformed("flags of the will are wrong [MQTT-3.1.2-11]"))
	case flags&(flagUserName|flagPassword) == flagPassword && version < 5:
		p.fail(malformed("password without a user name [MQTT-3.1.2-22]"))
	}
}

// parseClientID reads the client identifier. [MQTT-3.1.3-4]
func parseClientID(p *parser, version byte) string {
	before := p.bad
	id := p.rest
	s := string(p.name())
	if before == nil && p.bad != nil && version == 5 && (&parser{rest: id}).binary() != nil {
		p.bad.Code = InvalidClientID
	}
	return s
}

// parseWill reads a will.
func parseWill(p *parser, version, flags byte) *Will {
	w := &Will{QoS: flags >> 3 & 3, Retain: flags&flagWillRetain != 0}
	if version == 5 {
		w.Props = p.properties(inWill)
	}
	if w.Topic = string(p.name()); p.bad == nil && w.Topic == "" {
		p.fail(forbidden("will without a topic [MQTT-4.7.3-1]"))
	}
	w.Payload = p.binary()
	return w
}

// parseCredentials reads user name and password. A client is not told what is wrong with them.
func parseCredentials(p *parser, flags byte, c *ConnectPacket) {
	before := p.bad
	if flags&flagUserName != 0 {
		c.UserName = string(p.name())
	}
	if flags&flagPassword != 0 {
		c.Password = string(p.binary())
	}
	if before == nil && p.bad != nil {
		p.bad.Code = Success
	}
}

// ConnackPacket is a CONNACK. MQTT 5, section 3.2. Zero values of the properties are left
// out.
type ConnackPacket struct {
	SessionPresent    bool
	Code              Code
	Reason            string
	AssignedClientID  string
	HasSessionExpiry  bool
	SessionExpiry     uint32 // seconds
	ServerKeepAlive   uint16 // seconds
	ReceiveMaximum    uint16
	TopicAliasMaximum uint16
	MaximumPacketSize uint32
}

// Encode gives the packet in the form of a version.
func (c *ConnackPacket) Encode(version byte) []byte {
	present := byte(0)
	if c.SessionPresent && version > 3 { // in MQTT 3.1 the byte is reserved
		present = 1
	}
	if version < 5 {
		return []byte{Connack << 4, 2, present, returnCode(c.Code)}
	}
	var v []byte
	if c.HasSessionExpiry {
		v = binary.BigEndian.AppendUint32(append(v, 0x11), c.SessionExpiry)
	}
	if c.AssignedClientID != "" {
		v = AppendString(append(v, 0x12), c.AssignedClientID)
	}
	if c.ServerKeepAlive > 0 {
		v = binary.BigEndian.AppendUint16(append(v, 0x13), c.ServerKeepAlive)
	}
	if c.Reason != "" {
		v = AppendString(append(v, 0x1f), c.Reason)
	}
	if c.ReceiveMaximum > 0 {
		v = binary.BigEndian.AppendUint16(append(v, 0x21), c.ReceiveMaximum)
	}
	if c.TopicAliasMaximum > 0 {
		v = binary.BigEndian.AppendUint16(append(v, 0x22), c.TopicAliasMaximum)
	}
	if c.MaximumPacketSize > 0 {
		v = binary.BigEndian.AppendUint32(append(v, 0x27), c.MaximumPacketSize)
	}
	body := append(AppendLength([]byte{present, byte(c.Code)}, len(v)), v...)
	return append(AppendLength([]byte{Connack << 4}, len(body)), body...)
}

// returnCode gives the MQTT 3.1.1 return code for a reason. [MQTT-3.2.2.3]
func returnCode(c Code) byte {
	switch c {
	case UnsupportedVersion:
		return 1
	case InvalidClientID, UnspecifiedError: // [MQTT-3.1.3-8]
		return 2
	case BadUserNameOrPassword:
		return 4
	case NotAuthorized, InvalidTopicName:
		return 5
	}
	if c.Failed() {
		return 3
	}
	return byte(c)
}

// ReplaceCredentials gives a CONNECT packet with another user name and password, both the
// last fields of its payload [MQTT-3.1.3-1]. An empty user name or password is left out.
func ReplaceCredentials(packet []byte, user, password string) ([]byte, *Violation) {
	size, remaining := FixedHeader(packet)
	if size == 0 || packet[0]>>4 != Connect || len(packet) != size+remaining {
		return nil, malformed("not a whole CONNECT")
	}
	c, bad := ParseConnect(packet[0], packet[size:])
	if bad != nil {
		return nil, bad
	}
	var flags byte
	var fields []byte
	if user != "" {
		flags, fields = flags|flagUserName, AppendString(fields, user)
	}
	if password != "" {
		flags, fields = flags|flagPassword, AppendString(fields, password)
	}
	body := packet[size:]
	out := AppendLength(packet[:1:1], c.credentialsAt+len(fields))
	start := len(out)
	out = append(append(out, body[:c.credentialsAt]...), fields...)
	out[start+c.flagsAt] = body[c.flagsAt]&^(flagUserName|flagPassword) | flags
	return out, nil
}
