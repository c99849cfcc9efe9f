package access_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/testkit/faketime"
)

func guess(user, ip string) func(int) access.Attempt {
	return func(i int) access.Attempt {
		return access.Attempt{User: user, Secret: fmt.Sprint("guess number ", i, user), From: tcp(ip)}
	}
}

func TestGuessing(t *testing.T) {
	a, _, token := accounts(t, access.AnonymousNever)
	faketime.Run(t, func(t *testing.T) {
		right := access.Attempt{User: "ann", Secret: password, From: tcp("192.0.2.9")}
		if _, err := a.Identify(t.Context(), right); err != nil {
			t.Fatal(err)
		}
		// 100 in 10 s from one address: names that exist and that do not alike.
		for ip, user := range map[string]string{"192.0.2.1": "ann", "192.0.2.2": "nobody-of-this-name", "192.0.2.3": "front"} {
			looked := 0
			for range 10 {
				n, _ := wrong(t, a, 10, func(i int) access.Attempt {
					return access.Attempt{User: user, Secret: fmt.Sprint("guess ", time.Now().UnixNano(), i), From: tcp(ip)}
				})
				looked += n
				time.Sleep(time.Second)
			}
			if looked < 5 || looked > 6 {
				t.Errorf("%s: %d of 100 were looked at in 10 s, want 5", user, looked)
			}
		}
		// Neither tokens nor other addresses notice.
		for _, ip := range []string{"192.0.2.1", "192.0.2.3"} {
			if _, err := a.Identify(t.Context(), access.Attempt{User: "front", Secret: token, From: tcp(ip)}); err != nil {
				t.Errorf("the token from %s: %v", ip, err)
			}
		}
		if _, err := a.Identify(t.Context(), access.Attempt{User: "ann", Secret: password, From: tcp("192.0.2.77")}); err != nil {
			t.Errorf("the right password from elsewhere: %v", err)
		}
		// A right password is no way to find out that it is one.
		wrong(t, a, 10, guess("ann", "192.0.2.1"))
		var s *access.Slow
		if _, err := a.Identify(t.Context(), access.Attempt{User: "ann", Secret: password, From: tcp("192.0.2.1")}); !errors.As(err, &s) {
			t.Errorf("the right password from who guesses: %v", err)
		}
		// A household of IPv6 counts as one.
		if looked, _ := wrong(t, a, 40, func(i int) access.Attempt {
			return access.Attempt{User: fmt.Sprint("u", i), Secret: "x", From: tcp(fmt.Sprintf("2001:db8::%x", i+1))}
		}); looked != 5 {
			t.Errorf("%d of 40 from one /64 were looked at, want 5", looked)
		}
		// Many addresses guess at one account together; who has been in is not in their way.
		time.Sleep(time.Hour)
		looked, _ := wrong(t, a, 60, func(i int) access.Attempt {
			return access.Attempt{User: "ann", Secret: fmt.Sprint("together ", i), From: tcp(fmt.Sprintf("198.51.100.%d", i))}
		})
		if looked != 20 {
			t.Errorf("%d of 60 from 60 addresses were looked at, want 20", looked)
		}
		if _, err := a.Identify(t.Context(), right); err != nil {
			t.Errorf("ann from where she was before: %v", err)
		}
	})
}

// An attacker's minute, and his hour.
func TestGuessesPerMinute(t *testing.T) {
	a, _, _ := accounts(t, access.AnonymousNever)
	faketime.Run(t, func(t *testing.T) {
		for _, c := range []struct {
			length     time.Duration
			least, max int
			ip         string
		}{{time.Minute, 9, 10, "192.0.2.1"}, {10 * time.Minute, 50, 55, "192.0.2.2"}} {
			looked := 0
			for end := time.Now().Add(c.length); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
				n, _ := wrong(t, a, 1, func(int) access.Attempt {
					return access.Attempt{User: fmt.Sprint("u", time.Now().UnixNano()), Secret: "x", From: tcp(c.ip)} // the account's limit is another
				})
				looked += n
			}
			if looked < c.least || looked > c.max {
				t.Errorf("%d guesses in %s, want %d to %d", looked, c.length, c.least, c.max)
			}
			t.Logf("%d guesses in %s", looked, c.length)
		}
	})
}

// A device that keeps coming with an old secret uses up nobody's tries and no
// processor; what is remembered costs nothing either.
func TestRemembered(t *testing.T) {
	a, file, token := accounts(t, access.AnonymousNever)
	if _, err := access.SetSecret(file, "front", true, ""); err != nil {
		t.Fatal(err)
	}
	if err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	from := tcp("192.0.2.1")
	if looked, slow := wrong(t, a, 300, func(int) access.Attempt {
		return access.Attempt{User: "front", Secret: token, From: from}
	}); looked != 300 || slow != 0 {
		t.Errorf("an old token: %d looked at, %d not", looked, slow)
	}
	before := a.Hashes()
	for range 300 {
		if _, err := a.Identify(t.Context(), access.Attempt{User: "ann", Secret: password, From: from}); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.Hashes() - before; n != 1 {
		t.Errorf("300 logins with one password took %d hashes, want 1", n)
	}
	// Many at once, as a page's files, are one.
	before = a.Hashes()
	failed := make(chan error, 40)
	for range cap(failed) {
		go func() { // ends with the attempt
			_, err := a.Identify(t.Context(), access.Attempt{User: "ann", Secret: password, From: tcp("192.0.2.2")})
			failed <- err
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if n := a.Hashes() - before; n != 1 {
		t.Errorf("40 logins at once took %d hashes, want 1", n)
	}
}

// Unknown names, wrong passwords and wrong tokens cost the same: one hash each.
func TestAlike(t *testing.T) {
	a, _, _ := accounts(t, access.AnonymousNever)
	for i, user := range []string{"ann", "bob", "front", "#", strings.Repeat("x", 1000)} {
		before := a.Hashes()
		_, err := a.Identify(t.Context(), access.Attempt{User: user, Secret: "not the password", From: tcp(fmt.Sprintf("192.0.2.%d", i))})
		if n := a.Hashes() - before; n != 1 || !errors.Is(err, access.ErrWrong) || err.Error() != access.ErrWrong.Error() {
			t.Errorf("%.20s: %d hashes, %v", user, n, err)
		}
	}
}

// While strangers from everywhere wait for their turn, tokens, and passwords that were
// right before, are looked at.
func TestStrangersAreInNobodysWay(t *testing.T) {
	a, _, token := accounts(t, access.AnonymousNever)
	ann := access.Attempt{User: "ann", Secret: password, From: tcp("192.0.2.1")}
	if _, err := a.Identify(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	const strangers = 200
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, strangers)
	for i := range strangers {
		go func() { // ends with ctx
			_, err := a.Identify(ctx, access.Attempt{User: fmt.Sprint("s", i), Secret: "x", From: tcp(fmt.Sprintf("198.51.100.%d", i))})
			ended <- err
		}()
	}
	busy := 0
	for range strangers - 64 - 2 { // no more than these wait or have a turn
		var s *access.Slow
		if err := <-ended; errors.As(err, &s) {
			busy++
		}
	}
	for i := range 50 {
		at := ann
		if i%2 == 0 {
			at = access.Attempt{User: "front", Secret: token, From: tcp("198.51.100.7")}
		}
		if _, err := a.Identify(t.Context(), at); err != nil {
			t.Errorf("while strangers wait: %v", err)
		}
	}
	if len(ended) > 60 {
		t.Errorf("%d strangers' turns came before 50 others were looked at", len(ended))
	}
	if busy < 50 {
		t.Errorf("%d of %d strangers were sent away", busy, strangers)
	}
}

// Wrong tries at an address do not lock out accounts and devices that have logged in
// from there, and those get no more tries than the address.
func TestKnownAccountsKeepTries(t *testing.T) {
	var out bytes.Buffer
	_, file, _ := accounts(t, access.AnonymousNever)
	a, err := access.Open(access.Options{File: file, Anonymous: access.AnonymousNever, Log: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	faketime.Run(t, func(t *testing.T) {
		here := tcp("192.0.2.1")
		ann := func(device, secret string) access.Attempt {
			return access.Attempt{User: "ann", Secret: secret, From: here, Device: device}
		}
		var slow *access.Slow
		guessAs := func(user string) {
			t.Helper()
			looked := 0
			for i := range 40 {
				_, err := a.Identify(t.Context(), access.Attempt{User: user, Secret: fmt.Sprint("guess ", i), From: here, Device: "other"})
				if !errors.As(err, &slow) {
					looked++
				}
			}
			if looked != 5 {
				t.Errorf("%d of 40 guesses as %s were looked at, want 5", looked, user)
			}
		}
		if _, err := a.Identify(t.Context(), ann("phone", password)); err != nil {
			t.Fatal(err)
		}
		guessAs("bob")
		for range 8 {
			if _, err := a.Identify(t.Context(), ann("tablet", password)); err != nil {
				t.Fatalf("another name was guessed at ann's address: %v", err)
			}
		}
		if !strings.Contains(out.String(), "login accepted") || !strings.Contains(out.String(), "tries of their own") {
			t.Errorf("the log does not say it:\n%s", &out)
		}
		guessAs("ann") // her own five
		if _, err := a.Identify(t.Context(), ann("new", password)); !errors.As(err, &slow) {
			t.Errorf("a device that has not logged in before, after guesses at its account: %v", err)
		}
		for _, device := range []string{"phone", "tablet"} {
			if _, err := a.Identify(t.Context(), ann(device, password)); err != nil {
				t.Errorf("her %s, after guesses at her account: %v", device, err)
			}
		}
		time.Sleep(31 * 24 * time.Hour)
		guessAs("bob")
		if _, err := a.Identify(t.Context(), ann("phone", password)); !errors.As(err, &slow) {
			t.Errorf("after 31 days the address's limit holds for ann too: %v", err)
		}
	})
}
