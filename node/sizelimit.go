package node

import (
	"fmt"
	"sync"
	"time"
)

// BrokerLimits are what the broker has told that it does not take.
type BrokerLimits struct {
	MaxPacket int  // bytes of the largest packet; 0: not told
	NoRetain  bool // it keeps no retained messages
}

const (
	// packetHead is more than a PUBLISH has beside its topic and payload (MQTT 3.1.1, 3.3).
	packetHead = 16
	// learnedFor is how long a limit counts that was concluded from ended connections.
	learnedFor = 6 * time.Hour
)

// sizeLimit is how large a published picture may be: as configured, as the broker has told,
// and as is concluded where a connection ended twice over a picture. It is used by several
// goroutines.
type sizeLimit struct {
	configured int // max_image_bytes
	head       int // bytes of a packet beside the picture

	mu      sync.Mutex
	told    int // the broker's greatest picture; 0: not told
	learned int // concluded; 0: nothing
	until   time.Time
	handed  int // the largest picture that was not acknowledged yet on this connection
	suspect int // the picture over which the last connection may have ended; 0: none
	good    int // the largest that was acknowledged
}

// tell notes the broker's largest packet; 0 is not told.
func (s *sizeLimit) tell(packet int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = 0
	if packet > 0 {
		s.told = max(1, packet-s.head)
	}
}

// most is the size of the largest picture that may be sent now, in bytes.
func (s *sizeLimit) most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.configured
	if s.told > 0 {
		most = min(most, s.told)
	}
	if s.concluded() {
		most = min(most, s.learned)
	}
	return most
}

func (s *sizeLimit) concluded() bool { return s.learned > 0 && time.Now().Before(s.until) }

// hand notes pictures that are about to be sent, of size bytes at most, and returns what to
// give to acknowledged.
func (s *sizeLimit) hand(size int) (mark int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handed = max(s.handed, size)
	return s.handed
}

// acknowledged notes that the broker has acknowledged a message that followed the pictures
// up to a mark.
func (s *sizeLimit) acknowledged(mark int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.good = max(s.good, mark)
	if mark >= s.suspect {
		s.suspect = 0
	}
	if s.handed <= mark {
		s.handed = 0
	}
}

// suspicious reports whether the next live picture needs an acknowledgement, because the
// last connection may have ended over one.
func (s *sizeLimit) suspicious() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.suspect > 0
}

// ended notes that a connection has ended. The second that ends over a picture larger than
// any that the broker has taken lowers the limit.
func (s *sizeLimit) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := s.handed
	s.handed = 0
	if size <= s.good { // also when there was no picture
		return
	}
	if s.suspect == 0 {
		s.suspect = size
		return
	}
	bad := min(size, s.suspect)
	s.learned, s.until = max(s.good, bad/2), time.Now().Add(learnedFor)
	s.suspect = 0
}

// begun notes that a connection has begun.
func (s *sizeLimit) begun() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handed = 0
}

// text says why a picture is too large and what to set.
func (s *sizeLimit) text(size int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.told > 0 && size > s.told:
		return fmt.Sprintf("the picture has %d bytes, and the broker takes packets of at most %d: "+
			"set a lower quality or size for the camera, or raise the broker's limit", size, s.told+s.head)
	case s.concluded() && size > s.learned:
		return fmt.Sprintf("the picture has %d bytes, and the broker has ended the connection twice over such: "+
			"set a lower quality, size or max_image_bytes for the camera, or raise the broker's limit of packets", size)
	}
	return fmt.Sprintf("the picture has %d bytes, more than max_image_bytes %d: "+
		"set a lower quality or size, or raise max_image_bytes if the broker allows", size, s.configured)
}
