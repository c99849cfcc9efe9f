package access_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

func tcp(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 1234} }

func viewer(name string) access.Account {
	return access.Account{Name: name, Role: access.Viewer, All: true}
}

func camera(id wire.ID) access.Account {
	return access.Account{Name: string(id), Role: access.Camera, Cameras: []wire.ID{id}, Token: true}
}

const password = "correct horse battery"

// accounts are some in a file of their own: ann with a password, front with a token.
func accounts(t testing.TB, anonymous string) (a *access.Accounts, file, token string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), access.FileName)
	if _, err := access.Add(file, viewer("ann"), password); err != nil {
		t.Fatal(err)
	}
	token, err := access.Add(file, camera("front"), "")
	if err != nil {
		t.Fatal(err)
	}
	return open(t, file, anonymous), file, token
}

func open(t testing.TB, file, anonymous string) *access.Accounts {
	t.Helper()
	a, err := access.Open(access.Options{File: file, Anonymous: anonymous, Every: 5 * time.Millisecond, Log: testkit.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestIdentify(t *testing.T) {
	a, _, token := accounts(t, "")
	ctx := t.Context()
	for name, c := range map[string]struct {
		at   access.Attempt
		who  string
		role access.Role
		err  error
	}{
		"password":             {access.Attempt{User: "ann", Secret: password}, "ann", access.Viewer, nil},
		"token with user":      {access.Attempt{User: "front", Secret: token}, "front", access.Camera, nil},
		"token alone":          {access.Attempt{Secret: token}, "front", access.Camera, nil},
		"wrong password":       {access.Attempt{User: "ann", Secret: password + "x"}, "", 0, access.ErrWrong},
		"no password":          {access.Attempt{User: "ann"}, "", 0, access.ErrWrong},
		"unknown":              {access.Attempt{User: "bob", Secret: password}, "", 0, access.ErrWrong},
		"other's token":        {access.Attempt{User: "ann", Secret: token}, "", 0, access.ErrWrong},
		"password alone":       {access.Attempt{Secret: password}, "", 0, access.ErrWrong},
		"wrong token":          {access.Attempt{Secret: token[:len(token)-1]}, "", 0, access.ErrWrong},
		"wildcard name":        {access.Attempt{User: "+", Secret: password}, "", 0, access.ErrWrong},
		"nothing from afar":    {access.Attempt{}, "", 0, access.ErrNone},
		"wrong from near by":   {access.Attempt{User: "ann", Secret: "x", From: tcp("127.0.0.2")}, "", 0, access.ErrWrong},
		"nothing from near by": {access.Attempt{From: tcp("127.0.0.1")}, "", access.Anyone, nil},
		"by HTTP from near by": {access.Attempt{From: tcp("127.0.0.1"), Web: true}, "", 0, access.ErrNone},
	} {
		if c.at.From == nil {
			c.at.From = tcp("192.0.2." + fmt.Sprint(len(name))) // not limited by the others
		}
		p, err := a.Identify(ctx, c.at)
		if p.Name != c.who || p.Role != c.role || !errors.Is(err, c.err) {
			t.Errorf("%s: %q %v, %v: want %q %v, %v", name, p.Name, p.Role, err, c.who, c.role, c.err)
		}
	}
}

func TestAnonymous(t *testing.T) {
	near, v6, mapped, far := tcp("127.0.0.1"), tcp("::1"), tcp("::ffff:127.0.0.1"), tcp("192.0.2.1")
	unix, nowhere := &net.UnixAddr{Name: "@", Net: "unix"}, &net.TCPAddr{}
	pipe, _ := net.Pipe()
	with, file, _ := accounts(t, "")
	_ = with
	for _, c := range []struct {
		from                        net.Addr
		web                         bool
		loopback, never, read, all  access.Role // while there are no accounts
		withLoopback, withRead, any access.Role // with some; any is all
	}{
		{near, false, access.Anyone, 0, access.Anyone, access.Anyone, access.Anyone, access.Anyone, access.Anyone},
		{v6, false, access.Anyone, 0, access.Anyone, access.Anyone, access.Anyone, access.Anyone, access.Anyone},
		{mapped, false, access.Anyone, 0, access.Anyone, access.Anyone, access.Anyone, access.Anyone, access.Anyone},
		{unix, false, access.Anyone, 0, access.Anyone, access.Anyone, access.Anyone, access.Anyone, access.Anyone},
		{near, true, access.Anyone, 0, access.Anyone, access.Anyone, 0, access.Reader, access.Anyone},
		{far, false, 0, 0, access.Reader, access.Anyone, 0, access.Reader, access.Anyone},
		{far, true, 0, 0, access.Reader, access.Anyone, 0, access.Reader, access.Anyone},
		{nowhere, true, 0, 0, access.Reader, access.Anyone, 0, access.Reader, access.Anyone},
		{nil, false, 0, 0, access.Reader, access.Anyone, 0, access.Reader, access.Anyone},
		{pipe.RemoteAddr(), false, access.Hub, access.Hub, access.Hub, access.Hub, access.Hub, access.Hub, access.Hub},
	} {
		for _, p := range []struct {
			file, policy string
			want         access.Role
		}{
			{"", "loopback", c.loopback},
			{"", "never", c.never},
			{"", "read", c.read},
			{"", "all", c.all},
			{file, "loopback", c.withLoopback},
			{file, "never", map[bool]access.Role{true: access.Hub}[c.loopback == access.Hub]},
			{file, "read", c.withRead},
			{file, "all", c.any},
		} {
			got, err := open(t, p.file, p.policy).Identify(t.Context(), access.Attempt{From: c.from, Web: c.web})
			if got.Role != p.want || (err == nil) != (p.want != access.Nobody) {
				t.Errorf("%s, accounts %t, from %v, HTTP %t: %v, %v: want %v", p.policy, p.file != "", c.from, c.web, got.Role, err, p.want)
			}
		}
	}
	if _, err := access.Open(access.Options{Anonymous: "yes"}); err == nil {
		t.Error("anonymous yes was taken")
	}
}

func TestAccountsThatAreNone(t *testing.T) {
	ids := func(s ...wire.ID) []wire.ID { return s }
	file := filepath.Join(t.TempDir(), "a.json")
	for name, a := range map[string]access.Account{
		"plus":             {Name: "+", Role: access.Admin},
		"hash":             {Name: "#", Role: access.Admin},
		"star":             {Name: "*", Role: access.Admin},
		"slash":            {Name: "a/b", Role: access.Admin},
		"percent":          {Name: "%c", Role: access.Admin},
		"control":          {Name: "a\x00", Role: access.Admin},
		"newline":          {Name: "a\n", Role: access.Admin},
		"colon":            {Name: "a:b", Role: access.Admin},
		"bidi":             {Name: "a\u202eb", Role: access.Admin},
		"empty":            {Name: "", Role: access.Admin},
		"dollar":           {Name: "$SYS", Role: access.Admin},
		"long":             {Name: strings.Repeat("a", 65), Role: access.Admin},
		"role":             {Name: "a", Role: access.Hub},
		"no role":          {Name: "a"},
		"camera of two":    {Name: "a", Role: access.Camera, Cameras: ids("a", "b")},
		"camera of all":    {Name: "a", Role: access.Camera, All: true},
		"bridge of none":   {Name: "a", Role: access.Bridge},
		"viewer of none":   {Name: "a", Role: access.Viewer},
		"viewer both":      {Name: "a", Role: access.Viewer, All: true, Cameras: ids("a")},
		"wildcard camera":  {Name: "a", Role: access.Viewer, Cameras: ids("+")},
		"camera twice":     {Name: "a", Role: access.Viewer, Cameras: ids("a", "a")},
		"admin of cameras": {Name: "a", Role: access.Admin, Cameras: ids("a")},
	} {
		if _, err := access.Add(file, a, password); err == nil {
			t.Errorf("%s: %+v was added", name, a)
		}
	}
	for _, bad := range []string{"short", "eleven char", "has a \x00 in it, though", "\xff is not UTF-8 at all", strings.Repeat("x", 1025)} {
		if _, err := access.Add(file, viewer("ann"), bad); err == nil {
			t.Errorf("password %.20q was taken", bad)
		}
	}
	if all, err := access.List(file); err != nil || len(all) != 0 {
		t.Errorf("there are %v, %v", all, err)
	}
}

// served runs Serve until the test ends.
func served(t *testing.T, a *access.Accounts) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }() // ends with ctx
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// Who came by HTTP because there were no accounts has to come again when there are.
func TestFirstAccountEndsFreeEntry(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "a.json")
	a := open(t, file, "")
	web, err := a.Identify(t.Context(), access.Attempt{From: tcp("127.0.0.1"), Web: true})
	if err != nil {
		t.Fatal(err)
	}
	if made, err := access.First(file, access.Account{Name: "admin", Role: access.Admin}); err != nil || made == "" {
		t.Fatal(err)
	}
	if err := a.Reload(); err != nil || !a.Exist() || !a.Named("admin") {
		t.Fatal(err)
	}
	if a.Current(web) {
		t.Error("who came by HTTP without an account may stay")
	}
	local, err := a.Identify(t.Context(), access.Attempt{From: tcp("127.0.0.1")})
	if err != nil || !a.Current(local) {
		t.Errorf("who comes from this machine by MQTT: %v", err)
	}
}

// wrong counts tries that were looked at and those that were not.
func wrong(t *testing.T, a *access.Accounts, n int, at func(i int) access.Attempt) (looked, slow int) {
	t.Helper()
	for i := range n {
		_, err := a.Identify(t.Context(), at(i))
		var s *access.Slow
		switch {
		case errors.As(err, &s) && s.After > 0:
			slow++
		case errors.Is(err, access.ErrWrong):
			looked++
		default:
			t.Fatalf("try %d: %v", i, err)
		}
	}
	return looked, slow
}

// A session that remembers an account by name and stamp knows when it has changed.
func TestLookup(t *testing.T) {
	a, file, _ := accounts(t, "")
	ann, ok := a.Lookup("ann")
	if !ok || ann.Name != "ann" || ann.Stamp() == "" || !a.Current(ann) {
		t.Fatalf("%+v, %v", ann, ok)
	}
	if again, _ := open(t, file, "").Lookup("ann"); again.Stamp() != ann.Stamp() {
		t.Error("the stamp changes with the process")
	}
	for _, change := range []func() error{
		func() error { _, err := access.SetSecret(file, "ann", false, ""); return err },
		func() error {
			return access.SetRights(file, access.Account{Name: "ann", Role: access.Viewer, Cameras: []wire.ID{"a"}})
		},
		func() error {
			return access.SetRights(file, access.Account{Name: "ann", Role: access.Operator, Cameras: []wire.ID{"a"}})
		},
	} {
		before, _ := a.Lookup("ann")
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if err := a.Reload(); err != nil {
			t.Fatal(err)
		}
		if after, _ := a.Lookup("ann"); after.Stamp() == before.Stamp() || a.Current(before) {
			t.Error("a change does not change the stamp")
		}
	}
	if p, ok := a.Lookup("bob"); ok || p.Stamp() != "" {
		t.Errorf("an account that is not there: %+v", p)
	}
}

func BenchmarkIdentify(b *testing.B) {
	a, _, token := accounts(b, access.AnonymousNever)
	for name, at := range map[string]access.Attempt{
		"token":                  {User: "front", Secret: token, From: tcp("192.0.2.1")},
		"bearer":                 {Secret: token, From: tcp("192.0.2.1")},
		"password-again":         {User: "ann", Secret: password, From: tcp("192.0.2.1")},
		"password-of-a-stranger": {},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if at.From == nil { // each from an address of its own, so that each is looked at
					n++
					at := access.Attempt{User: "bob" + fmt.Sprint(n%1000), Secret: "wrong password " + fmt.Sprint(n), From: tcp(fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255))}
					_, _ = a.Identify(b.Context(), at)
					continue
				}
				if _, err := a.Identify(b.Context(), at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
