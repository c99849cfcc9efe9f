package broker

// shares are the bytes that wait for one connection by the account that published them,
// of messages that may be left out.
type shares map[string]int

// roomFactor is how many times the free bytes one account may have waiting. One account
// alone gets three quarters of the limit. The more accounts are behind, the less each of
// them gets, and there is always room for one that has nothing waiting.
const roomFactor = 3

// room reports whether a message may wait while so many bytes are free.
func (s shares) room(it *item, free int) bool {
	return s[it.account]+it.size() <= roomFactor*free && it.size() <= free
}

// add notes that so many more bytes of an item's account wait.
func (s *shares) add(it *item, n int) {
	if it.account == "" {
		return
	}
	if *s == nil {
		*s = shares{}
	}
	if (*s)[it.account] += n; (*s)[it.account] == 0 {
		delete(*s, it.account)
	}
}
