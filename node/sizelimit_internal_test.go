package node

import (
	"testing"
	"time"

	"camqtt/internal/testkit/faketime"
)

func TestSizeLimit(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		s := &sizeLimit{configured: 900_000, head: 50}
		want := func(most int, why string) {
			t.Helper()
			if got := s.most(); got != most {
				t.Errorf("%s: at most %d bytes, want %d", why, got, most)
			}
		}
		lose := func(size int) {
			s.hand(size)
			s.ended()
		}
		want(900_000, "at first")
		s.ended()
		s.ended()
		want(900_000, "connections that ended without a picture")
		lose(400_000)
		want(900_000, "one ended connection")
		s.acknowledged(s.hand(400_000))
		lose(400_000)
		lose(400_000)
		want(900_000, "a size that was taken before")
		lose(800_000)
		s.acknowledged(s.hand(10_000))
		if !s.suspicious() {
			t.Error("a small picture ends the suspicion")
		}
		lose(800_000)
		want(400_000, "two ended connections")
		lose(440_000)
		lose(420_000)
		want(400_000, "what was taken is no limit")
		time.Sleep(learnedFor)
		want(900_000, "after a time")
		s.tell(100_050)
		want(100_000, "the broker has told")
		s.tell(0)
		want(900_000, "another broker tells nothing")
	})
}
