package broker

import "github.com/mochi-mqtt/server/v2/packets"

// vetConnect checks a CONNECT and gives its version, of an unknown one that in whose form
// it is to be answered; 0 if it is not MQTT at all. MQTT
// 3.1 gives a bit that later versions reserve no meaning; it is cleared.
func vetConnect(first byte, body []byte) (version byte, bad *violation) {
	f := fields{b: body}
	name := string(f.binary())
	version = f.uint8()
	flags := f.uint8()
	switch {
	case f.bad != nil || name != "MQTT" && name != "MQIsdp":
		return 0, malformed("not MQTT [MQTT-3.1.2-1]")
	case version < 3, version > 5, (name == "MQIsdp") != (version == 3):
		if version = max(version, 1); name == "MQIsdp" { // is answered in the form of MQTT 3
			version = min(version, 4)
		}
		return version, &violation{packets.ErrUnsupportedProtocolVersion, "unknown version of MQTT [MQTT-3.1.2-2]"}
	case version == 3:
		body[len(name)+3] &^= 1
		flags &^= 1
	}
	f.connectFlags(version, first, flags)
	f.uint16() // keepalive
	if version == 5 {
		f.properties(inConnect)
	}
	id := f.clientID(version)
	if flags&4 != 0 {
		f.will(version)
	}
	f.credentials(flags)
	f.end()
	if f.bad == nil && version == 3 && len(id) == 0 {
		f.fail(&violation{packets.ErrClientIdentifierNotValid, "MQTT 3.1 client without an identifier"})
	}
	return version, f.bad
}

// will takes a will.
func (f *fields) will(version byte) {
	if version == 5 {
		f.properties(inWill)
	}
	if topic := f.name(); f.bad == nil && len(topic) == 0 {
		f.fail(forbidden("will without a topic [MQTT-4.7.3-1]"))
	}
	f.binary()
}

// credentials takes user name and password.
func (f *fields) credentials(flags byte) {
	before := f.bad
	if flags&0x80 != 0 {
		f.name()
	}
	if flags&0x40 != 0 {
		f.binary()
	}
	if before == nil && f.bad != nil {
		f.bad.code = packets.Code{} // about credentials nothing is said
	}
}

// connectFlags checks the first byte of CONNECT and its flags. [MQTT-3.1.2-3],
// [MQTT-3.1.2-11] to 15, [MQTT-3.1.2-22]
func (f *fields) connectFlags(version, first, flags byte) {
	will := flags & 0x3c
	switch {
	case first&15 != 0 && version > 3:
		f.fail(malformed("flags of the first byte are wrong [MQTT-2.1.3-1]"))
	case flags&1 != 0:
		f.fail(malformed("reserved flag is set [MQTT-3.1.2-3]"))
	case will&4 == 0 && will != 0, will&0x18 == 0x18:
		f.fail(malformed("flags of the will are wrong [MQTT-3.1.2-11]"))
	case flags&0xc0 == 0x40 && version < 5:
		f.fail(malformed("password without a user name [MQTT-3.1.2-22]"))
	}
}

// clientID takes the client identifier. [MQTT-3.1.3-4]
func (f *fields) clientID(version byte) []byte {
	b := f.binary()
	g := fields{b: append([]byte{byte(len(b) >> 8), byte(len(b))}, b...)}
	if g.name(); g.bad != nil && f.bad == nil {
		if version == 5 {
			g.bad.code = packets.ErrClientIdentifierNotValid
		}
		f.fail(g.bad)
	}
	return b
}
