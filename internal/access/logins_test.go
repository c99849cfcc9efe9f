package access_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/testkit/faketime"
)

// After a restart accounts and devices that have logged in from an address still have
// tries of their own there, and a damaged file costs no more than that.
func TestLoginsSurviveRestart(t *testing.T) {
	_, file, _ := accounts(t, access.AnonymousNever)
	kept := filepath.Join(filepath.Dir(file), "logins.json")
	here := tcp("192.0.2.1")
	ann := access.Attempt{User: "ann", Secret: password, From: here, Device: "phone"}
	run := func(t *testing.T, what func(a *access.Accounts)) {
		t.Helper()
		a, err := access.Open(access.Options{File: file, Anonymous: access.AnonymousNever})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Serve(ctx) }() // ends with ctx
		synctest.Wait()
		what(a)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	guess := func(t *testing.T, a *access.Accounts, user string) {
		for i := range 20 {
			_, _ = a.Identify(t.Context(), access.Attempt{User: user, Secret: fmt.Sprint("guess ", i), From: here, Device: "other"})
		}
	}
	faketime.Run(t, func(t *testing.T) {
		run(t, func(a *access.Accounts) {
			if _, err := a.Identify(t.Context(), ann); err != nil {
				t.Fatal(err)
			}
		})
		if st, err := os.Stat(kept); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v; want a file that only its owner reads", st, err)
		}
		run(t, func(a *access.Accounts) {
			guess(t, a, "bob")
			guess(t, a, "ann")
			if _, err := a.Identify(t.Context(), ann); err != nil {
				t.Errorf("after a restart: %v", err)
			}
		})
		if err := os.WriteFile(kept, []byte(`{"schema":1,"logins":[{"account":"ann","from":"192.0`), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, func(a *access.Accounts) {
			guess(t, a, "bob")
			var slow *access.Slow
			if _, err := a.Identify(t.Context(), ann); !errors.As(err, &slow) {
				t.Errorf("with a damaged file: %v", err)
			}
			time.Sleep(time.Minute)
			if _, err := a.Identify(t.Context(), ann); err != nil {
				t.Errorf("a minute later: %v", err)
			}
		})
		time.Sleep(31 * 24 * time.Hour)
		run(t, func(a *access.Accounts) {
			guess(t, a, "bob")
			var slow *access.Slow
			if _, err := a.Identify(t.Context(), ann); !errors.As(err, &slow) {
				t.Errorf("31 days after the last login: %v", err)
			}
		})
	})
}

// Whatever the file says, reading it ends and leaves accounts that work.
func FuzzLogins(f *testing.F) {
	f.Add([]byte(`{"schema":1,"logins":[{"account":"ann","from":"192.0.2.1","last":"2026-12-01T10:00:00Z","devices":{"00112233445566778899aabbccddeeff":"2026-12-01T10:00:00Z"}}]}`))
	f.Add([]byte(`{"schema":2}`))
	f.Add([]byte(`[`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, "logins.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := access.Open(access.Options{File: filepath.Join(dir, access.FileName)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := a.Serve(ctx); err != nil {
			t.Error(err)
		}
	})
}
