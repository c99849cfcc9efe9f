//go:build unix

package broker

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListenUnix(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mqtt.sock")
	l, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(path); err != nil || st.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("mode %v, %v, wanted a socket with 0660", st.Mode(), err)
	}
	b, err := New(Options{Listeners: []net.Listener{l}, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, b, "")
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	near := newClient(c)
	near.joins(t, "near", 4) // whoever may open the socket is of this machine
	near.publish(t, "a", []byte("1"), 1, true)
	near.sync(t)
	if _, err := ListenUnix(path); err == nil || !strings.Contains(err.Error(), "another program answers") {
		t.Errorf("a socket in use: %v", err)
	}
	near.sync(t) // and it is still in use
	r.stop()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}

	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as after a kill
	_ = dead.Close()
	l, err = ListenUnix(path)
	if err != nil {
		t.Fatalf("a socket that nobody answers on: %v", err)
	}
	_ = l.Close()

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenUnix(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file in the way: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the file in the way: %q, %v", text, err)
	}
	if _, err := ListenUnix(filepath.Join(dir, "no", "folder")); err == nil {
		t.Error("a folder that is not there: no error")
	}
}

// Two brokers in one folder would overwrite each other's messages.
func TestFolderIsLocked(t *testing.T) {
	dir := t.TempDir()
	first := start(t, Options{Data: dir})
	join(t, first.addr, "c", 4).publish(t, "a", []byte("1"), 0, true)
	second, err := New(Options{Data: dir, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	err = second.Serve(context.Background())
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "in use by another broker") {
		t.Errorf("a second broker: %v, wanted an error that names the folder", err)
	}
	near, far := net.Pipe()
	defer near.Close()
	if err := second.Attach(context.Background(), far); !errors.Is(err, ErrClosed) {
		t.Errorf("Attach to a broker that could not serve: %v, wanted %v", err, ErrClosed)
	}
	first.stop()
	third := start(t, Options{Data: dir})
	third.stop()
}
