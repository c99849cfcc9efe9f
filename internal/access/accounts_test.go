package access_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
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

func TestEdit(t *testing.T) {
	a, file, token := accounts(t, access.AnonymousNever)
	if _, err := access.Add(file, viewer("ann"), ""); !errors.Is(err, access.ErrExists) {
		t.Errorf("added twice: %v", err)
	}
	if err := access.Remove(file, "bob"); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("removed who is not there: %v", err)
	}
	if _, err := access.SetSecret(file, "bob", false, ""); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("password of who is not there: %v", err)
	}
	if _, err := access.First(file, viewer("root")); !errors.Is(err, access.ErrExists) {
		t.Errorf("a first account beside others: %v", err)
	}
	made, err := access.SetSecret(file, "front", true, "")
	if err != nil || made == token || !strings.HasPrefix(made, "camqtt_") {
		t.Errorf("another token: %v", err)
	}
	word, err := access.SetSecret(file, "ann", false, "")
	if err != nil || len(word) < 20 {
		t.Errorf("another password: %q, %v", word, err)
	}
	if err := access.SetRights(file, access.Account{Name: "ann", Role: access.Operator, Cameras: []wire.ID{"x"}}); err != nil {
		t.Error(err)
	}
	if err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at  access.Attempt
		err error
	}{
		{access.Attempt{User: "front", Secret: token}, access.ErrWrong},
		{access.Attempt{User: "front", Secret: made}, nil},
		{access.Attempt{User: "ann", Secret: password}, access.ErrWrong},
		{access.Attempt{User: "ann", Secret: word}, nil},
	} {
		if _, err := a.Identify(t.Context(), c.at); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.at.User, err, c.err)
		}
	}
	all, err := access.List(file)
	if err != nil || len(all) != 2 || all[0].Role != access.Operator || all[0].Of() != "x" || all[1].Of() != "front" || !all[1].Token {
		t.Errorf("list %+v, %v", all, err)
	}
	if err := access.Remove(file, "ann"); err != nil {
		t.Error(err)
	}
	if err := access.Remove(file, "front"); err != nil {
		t.Error(err)
	}
	if _, err := access.First(file, viewer("root")); !errors.Is(err, access.ErrExists) {
		t.Errorf("a first account where all were removed: %v", err)
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), token) || strings.Contains(string(text), "camqtt_") {
		t.Errorf("the file: %v", err)
	}
	for _, name := range []string{file, file + ".bak"} {
		st, err := os.Stat(name)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
}

// What is wrong with a file never opens the door, and the message says what helps.
func TestDamaged(t *testing.T) {
	_, file, _ := accounts(t, "")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{
		"empty":         "",
		"zeros":         strings.Repeat("\x00", len(good)),
		"not JSON":      "hello",
		"null":          "null",
		"no list":       `{"version": 1}`,
		"version":       `{"version": 2, "accounts": []}`,
		"unknown key":   strings.Replace(string(good), `"role"`, `"roles"`, 1),
		"unknown role":  strings.Replace(string(good), `"viewer"`, `"root"`, 1),
		"no cameras":    strings.Replace(string(good), `"*"`, ``, 1),
		"secret":        strings.Replace(string(good), `argon2id:m=19456`, `argon2id:m=99999999`, 1),
		"clear text":    strings.Replace(string(good), `argon2id:`, `plain:`, 1),
		"short hash":    strings.Replace(string(good), `"sha256:`, `"sha256:00`, 1),
		"twice":         strings.Replace(string(good), `"front"`, `"ann"`, 1),
		"more behind":   string(good) + "{}",
		"name with #":   strings.Replace(string(good), `"ann"`, `"an#"`, 1),
		"two documents": string(good) + string(good),
	}
	for i := 1; i < len(good)-2; i += 37 {
		bad[fmt.Sprint("cut off at ", i)] = string(good[:i])
	}
	for name, text := range bad {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := access.Open(access.Options{File: file})
		if !errors.Is(err, access.ErrDamaged) || !strings.Contains(err.Error(), file+".bak") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := access.Add(file, viewer("bob"), ""); !errors.Is(err, access.ErrDamaged) {
			t.Errorf("%s: an account was added: %v", name, err)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := access.Open(access.Options{File: file}); !errors.Is(err, access.ErrDamaged) || !strings.Contains(err.Error(), "cp -p") {
		t.Errorf("a file that has gone: %v", err)
	}
	if _, err := access.First(file, viewer("root")); !errors.Is(err, access.ErrDamaged) {
		t.Errorf("a first account in the place of a file that has gone: %v", err)
	}
}

func TestModes(t *testing.T) {
	_, file, _ := accounts(t, "")
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o666} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := access.Open(access.Options{File: file}); err == nil || !strings.Contains(err.Error(), "chmod 600 "+file) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(file, 0o400); err != nil {
		t.Fatal(err)
	}
	open(t, file, "")
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

func TestChangesAreNoticed(t *testing.T) {
	a, file, token := accounts(t, access.AnonymousNever)
	served(t, a)
	ann, err := a.Identify(t.Context(), access.Attempt{User: "ann", Secret: password})
	if err != nil {
		t.Fatal(err)
	}
	front, err := a.Identify(t.Context(), access.Attempt{Secret: token})
	if err != nil {
		t.Fatal(err)
	}
	annCtx, stop := a.Bind(t.Context(), ann)
	defer stop()
	frontCtx, stop := a.Bind(t.Context(), front)
	defer stop()
	var calls atomic.Int32
	defer a.OnChange(func() { calls.Add(1) })()
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// A bad edit, and no file at all, change nothing.
	if err := os.WriteFile(file, good[:len(good)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Reload(); !errors.Is(err, access.ErrDamaged) {
		t.Errorf("half a file: %v", err)
	}
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	if err := a.Reload(); err == nil {
		t.Error("no file was taken for no accounts")
	}
	if _, err := a.Identify(t.Context(), access.Attempt{Secret: token}); err != nil || !a.Current(ann) || !a.Exist() {
		t.Errorf("after a bad edit: %v", err)
	}
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := access.Remove(file, "ann"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-annCtx.Done():
	case <-time.After(10 * time.Second):
		t.Error("ann was not told")
	}
	if frontCtx.Err() != nil || !a.Current(front) || a.Current(ann) {
		t.Error("front has changed, or ann has not")
	}
	if late, stop := a.Bind(t.Context(), ann); late.Err() == nil {
		t.Error("bound to an account that has gone")
	} else {
		stop()
	}
	testkit.Until(t, 10*time.Second, "OnChange is called", func() bool { return calls.Load() > 0 })
	if err := access.SetRights(file, access.Account{Name: "front", Role: access.Camera, Cameras: []wire.ID{"back"}}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-frontCtx.Done():
	case <-time.After(10 * time.Second):
		t.Error("front was not told")
	}
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

// An edit that is killed at any instant leaves the accounts of before or after it.
func TestKilledEdits(t *testing.T) {
	if file := os.Getenv("TEST_EDIT_FOR_EVER"); file != "" {
		for i := 0; ; i++ {
			if _, err := access.SetSecret(file, "front", true, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, file, _ := accounts(t, "")
	for i := range 30 {
		c := exec.Command(os.Args[0], "-test.run=^TestKilledEdits$")
		c.Env = append(os.Environ(), "TEST_EDIT_FOR_EVER="+file)
		before, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		testkit.Until(t, 20*time.Second, "the file is edited", func() bool {
			now, err := os.Stat(file)
			return err == nil && !os.SameFile(before, now)
		})
		<-time.After(time.Duration(i*173) * time.Microsecond) // another instant each time
		_ = c.Process.Signal(syscall.SIGKILL)
		_ = c.Wait()
		if all, err := access.List(file); err != nil || len(all) != 2 {
			t.Fatalf("kill %d: %d accounts, %v", i, len(all), err)
		}
		if _, err := access.List(file + ".bak"); err != nil {
			t.Fatalf("kill %d: the copy: %v", i, err)
		}
	}
	if err := access.Remove(file, "front"); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(file + ".new-*")
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
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

func guess(user, ip string) func(int) access.Attempt {
	return func(i int) access.Attempt {
		return access.Attempt{User: user, Secret: fmt.Sprint("guess number ", i, user), From: tcp(ip)}
	}
}

func TestGuessing(t *testing.T) {
	a, _, token := accounts(t, access.AnonymousNever)
	synctest.Test(t, func(t *testing.T) {
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
	synctest.Test(t, func(t *testing.T) {
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

// What root adds is of use to the hub, which is not root.
func TestFilesBelongToTheFoldersOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can give files away
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, access.FileName)
	for range 2 {
		_, _ = access.First(file, viewer("ann"))
		if _, err := access.SetSecret(file, "ann", false, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"", ".bak", ".lock"} {
		st, err := os.Stat(file + name)
		if err != nil {
			t.Fatal(err)
		}
		if owner := st.Sys().(*syscall.Stat_t).Uid; owner != 65534 {
			t.Errorf("%s belongs to %d", file+name, owner)
		}
	}
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

func FuzzFile(f *testing.F) {
	_, file, _ := accounts(f, "")
	good, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1,"accounts":[]}`))
	f.Add([]byte(`{"version":1,"accounts":[{"name":"a","role":"camera","cameras":["*"],"secret":"sha256:"}]}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		name := filepath.Join(dir, "a.json")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := access.Open(access.Options{File: name, Anonymous: access.AnonymousNever})
		if err != nil {
			return
		}
		all, err := access.List(name)
		if err != nil || a.Exist() != (len(all) > 0) {
			t.Fatalf("%v, %v", all, err)
		}
		for _, one := range all {
			if err := access.CheckAccount(one); err != nil {
				t.Error(err)
			}
		}
	})
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
