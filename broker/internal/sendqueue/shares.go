package sendqueue

// shares are the bytes that wait for one connection by the account that published them,
// of messages that may be dropped.
type shares map[string]int

// roomFactor is how many times the free bytes one account may have waiting. One account
// alone gets three quarters of the limit. The more accounts wait, the less each of them
// gets, and there is always room for one that has nothing waiting.
const roomFactor = 3

// room reports whether a message may wait while so many bytes are free.
func (s shares) room(p *Packet, free int) bool {
	return s[p.Account]+p.size() <= roomFactor*free && p.size() <= free
}

// add notes that so many more bytes of a packet's account wait.
func (s *shares) add(p *Packet, n int) {
	if p.Account == "" {
		return
	}
	if *s == nil {
		*s = shares{}
	}
	if (*s)[p.Account] += n; (*s)[p.Account] == 0 {
		delete(*s, p.Account)
	}
}
