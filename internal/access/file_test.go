package access_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

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
		"short hash":    strings.Replace(string(good), `"secret": "sha256:`, `"secret": "sha256:00`, 1),
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
	case <-time.After(testkit.Patience):
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
	testkit.Until(t, "OnChange is called", func() bool { return calls.Load() > 0 })
	if err := access.SetRights(file, access.Account{Name: "front", Role: access.Camera, Cameras: []wire.ID{"back"}}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-frontCtx.Done():
	case <-time.After(testkit.Patience):
		t.Error("front was not told")
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
		testkit.Until(t, "the file is edited", func() bool {
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
	left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+"*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
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
