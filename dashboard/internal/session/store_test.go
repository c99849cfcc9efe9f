package session

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/testkit/faketime"
)

// trusting has every account: it knows every account, until told otherwise.
type trusting struct{ gone *string }

func (trusting) Bind(ctx context.Context, _ access.Principal) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

func (a trusting) Lookup(name string) (access.Principal, bool) {
	return access.Principal{Name: name}, a.gone == nil || name != *a.gone
}

// Sessions age, and there are not too many of them.
func TestSessionsAreBounded(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		s := New(Options{Accounts: trusting{}, Log: slog.New(slog.DiscardHandler)})
		defer func() { s.EndAll(); synctest.Wait() }()
		ann := access.Principal{Name: "ann"}
		first := s.Begin(ann)
		time.Sleep(idleTimeout - time.Second)
		if s.Find(first) == nil {
			t.Error("it ended early")
		}
		time.Sleep(time.Second)
		if s.Find(first) != nil {
			t.Error("it outlives its time")
		}
		kept := s.Begin(ann)
		ctx, release := s.Hold(t.Context(), s.Find(kept))
		if s.Renew(s.Find(kept)) != "" {
			t.Error("it is renewed at once")
		}
		for range 4 {
			time.Sleep(idleTimeout - time.Minute)
			before := kept
			if kept = s.Renew(s.Find(kept)); kept == "" || kept == before || s.Find(kept) == nil || ctx.Err() != nil {
				t.Fatal("one in use is not renewed")
			}
		}
		for range maxLife / idleTimeout {
			time.Sleep(idleTimeout - time.Minute)
			if text := s.Renew(s.Find(kept)); text != "" {
				kept = text
			} else {
				break
			}
		}
		time.Sleep(idleTimeout)
		if s.Find(kept) != nil || ctx.Err() == nil {
			t.Error("one lives for ever")
		}
		release()
		_, free := s.Hold(t.Context(), s.Find(s.Begin(ann))) // the oldest, but in use
		defer free()
		var all []string
		for range maxPerAccount + 5 {
			all = append(all, s.Begin(ann))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := len(s.all); n != maxPerAccount || s.Find(all[5]) != nil || s.Find(all[6]) == nil {
			t.Errorf("%d sessions of one account", n)
		}
	})
}

// TestSessionsSurviveARestart starts anew with the key and the list of ended sessions.
func TestSessionsSurviveARestart(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		gone := ""
		restart := func() *Store {
			key, err := OpenKey(filepath.Join(dir, "session.key"))
			if err != nil {
				t.Fatal(err)
			}
			return New(Options{Accounts: trusting{&gone}, Key: key, EndedFile: filepath.Join(dir, "session.ended"), Log: slog.New(slog.DiscardHandler)})
		}
		s := restart()
		ann, bob, out := s.Begin(access.Principal{Name: "ann"}), s.Begin(access.Principal{Name: "bob"}), s.Begin(access.Principal{Name: "ann"})
		s.Finish(s.Find(out))
		s.EndAll()
		synctest.Wait()

		s = restart()
		if s.Find(ann) == nil || s.Find(bob) == nil {
			t.Error("a restart logs out")
		}
		if s.Find(out) != nil {
			t.Error("a restart brings a session back that was ended")
		}
		gone = "bob"
		if s.Find(bob) != nil {
			t.Error("a session outlives its account")
		}
		s.EndAll()
		synctest.Wait()

		other := New(Options{Accounts: trusting{}, Log: slog.New(slog.DiscardHandler)})
		if other.Find(ann) != nil {
			t.Error("another key takes the session")
		}
		if err := os.WriteFile(filepath.Join(dir, "session.ended"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s = restart()
		if s.Find(ann) != nil {
			t.Error("without the list of ended sessions one goes on that may be among them")
		}
		s.EndAll()
		synctest.Wait()
	})
}

// TestEndedSessionStaysEnded logs out with an old cookie after a restart, which has not seen
// that the session was renewed before.
func TestEndedSessionStaysEnded(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		gone := ""
		o := Options{
			Accounts: trusting{&gone}, Key: newKey(), Log: slog.New(slog.DiscardHandler),
			EndedFile: filepath.Join(t.TempDir(), "session.ended"),
		}
		s := New(o)
		old := s.Begin(access.Principal{Name: "ann"})
		time.Sleep(11 * time.Hour)
		renewed := s.Renew(s.Find(old))
		s.EndAll()
		synctest.Wait()
		s = New(o)
		s.Finish(s.Find(old))
		time.Sleep(2 * time.Hour) // the old cookie runs out, the renewed one does not
		if s = New(o); s.Find(renewed) != nil {
			t.Error("a renewed cookie of an ended session is good again")
		}
		s.EndAll()
		synctest.Wait()
	})
}
