package dashboard

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/viewer"
)

// studio takes pictures one at a time, each when the test lets it end. A picture says
// how many captures had begun before.
type studio struct {
	*captures
	t     testing.TB
	wg    sync.WaitGroup
	begun chan int      // the number of each capture, when it begins
	end   chan struct{} // ends one
	taken int
}

func newStudio(t testing.TB) *studio {
	s := &studio{t: t, begun: make(chan int, 100), end: make(chan struct{})}
	s.captures = newCaptures(&s.wg, func(ctx context.Context, _ captureKey) (viewer.Picture, error) {
		s.taken++ // of one key there is never more than one at a time
		n := s.taken
		s.begun <- n
		select {
		case <-s.end:
			return viewer.Picture{JPEG: fmt.Append(nil, n)}, nil
		case <-ctx.Done():
			return viewer.Picture{}, ctx.Err()
		}
	})
	return s
}

// ask makes a request and returns when it waits.
func (s *studio) ask(ctx context.Context, k captureKey) <-chan string {
	s.t.Helper()
	got := make(chan string, 1)
	before := s.waiting(k)
	go func() { // ends with the capture or with ctx
		p, err := s.join(ctx, k)
		got <- fmt.Sprintf("%s %v", p.JPEG, err)
	}()
	testkit.Until(s.t, "one more waits", func() bool { return s.waiting(k) == before+1 })
	return got
}

func (s *studio) want(got <-chan string, want string) {
	s.t.Helper()
	if text := <-got; text != want {
		s.t.Errorf("a request got %q, want %q", text, want)
	}
}

// over checks that nothing is left.
func (s *studio) over(taken int) {
	s.t.Helper()
	s.wg.Wait()
	if s.taken != taken || len(s.all) != 0 {
		s.t.Errorf("%d captures, %d remembered: want %d and none", s.taken, len(s.all), taken)
	}
}

// waiting returns how many requests wait for a picture.
func (cs *captures) waiting(k captureKey) (n int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if line := cs.all[k]; line != nil {
		n += line.now.waiting
		if line.next != nil {
			n += line.next.waiting
		}
	}
	return n
}

func TestNoRequestGetsAPictureTakenBeforeIt(t *testing.T) {
	s := newStudio(t)
	k := captureKey{id: "porch"}
	first := s.ask(t.Context(), k)
	<-s.begun
	var later []<-chan string
	for range 5 {
		later = append(later, s.ask(t.Context(), k))
	}
	s.end <- struct{}{}
	s.want(first, "1 <nil>")
	<-s.begun
	last := s.ask(t.Context(), k)
	s.end <- struct{}{}
	for _, got := range later {
		s.want(got, "2 <nil>")
	}
	s.end <- struct{}{}
	s.want(last, "3 <nil>")
	s.over(3)
}

func TestMaxAgeJoinsTheCaptureUnderWay(t *testing.T) {
	s := newStudio(t)
	k := captureKey{id: "porch", ask: viewer.Ask{MaxAge: time.Hour}}
	first := s.ask(t.Context(), k)
	<-s.begun
	second := s.ask(t.Context(), k)
	s.end <- struct{}{}
	s.want(first, "1 <nil>")
	s.want(second, "1 <nil>")
	s.over(1)
}

func TestCaptureOutlivesItsFirstRequest(t *testing.T) {
	s := newStudio(t)
	k := captureKey{id: "porch", ask: viewer.Ask{MaxAge: time.Hour}}
	ctx, cancel := context.WithCancel(t.Context())
	first := s.ask(ctx, k)
	<-s.begun
	second := s.ask(t.Context(), k)
	cancel()
	s.want(first, " context canceled")
	s.end <- struct{}{}
	s.want(second, "1 <nil>")
	s.over(1)
}

func TestCaptureNobodyWaitsForEnds(t *testing.T) {
	s := newStudio(t)
	k := captureKey{id: "porch"}
	ctx, cancel := context.WithCancel(t.Context())
	first, second := s.ask(ctx, k), s.ask(ctx, k)
	<-s.begun
	third := s.ask(t.Context(), k)
	cancel()
	s.want(first, " context canceled")
	s.want(second, " context canceled")
	<-s.begun // at once: the first is not waited for
	s.end <- struct{}{}
	s.want(third, "2 <nil>")
	ctx, cancel = context.WithCancel(t.Context())
	fourth, fifth := s.ask(t.Context(), k), s.ask(ctx, k)
	<-s.begun
	cancel()
	s.want(fifth, " context canceled")
	s.end <- struct{}{}
	s.want(fourth, "3 <nil>")
	s.over(3)
}
