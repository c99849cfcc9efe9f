package wire

// Cleared returns the empty messages that clear everything that a broker keeps of
// a camera: its retained rows in topics.md.
func (b Base) Cleared(id ID) []Message {
	var msgs []Message
	for _, c := range Channels() {
		if c.Retain != Never {
			msgs = append(msgs, Message{Topic: b.Topic(id, c.Kind), QoS: 1, Retained: true})
		}
	}
	return msgs
}
