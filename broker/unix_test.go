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
	"syscall"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
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

// A topic of very many levels costs next to nothing.
func TestDeepTopics(t *testing.T) {
	b := start(t, Options{})
	deep := strings.Repeat("/", 60000)
	c := join(t, b.addr, "c", 5)
	begun := cpuTime(t)
	if got := c.subscribe(t, 0, deep, "fine"); got[0] != packets.ErrTopicFilterInvalid.Code || got[1] != 0 {
		t.Errorf("reason codes %#x, wanted 0x8f and 0", got)
	}
	c.id++
	_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe}, PacketID: c.id, Filters: packets.Subscriptions{{Filter: deep}}})
	c.want(t, packets.Unsuback)
	c.publish(t, deep, []byte("x"), 0, false)
	c.closedBy(t)
	if d := cpuTime(t) - begun; d > 3*time.Second {
		t.Errorf("took %s of CPU", d)
	}
	v3 := join(t, b.addr, "c3", 4)
	if got := v3.subscribe(t, 0, deep); got[0] != 0x80 {
		t.Errorf("reason code %#x, wanted 0x80", got)
	}
	ack, err := dial(t, b.addr).try("w", 4, withWill(deep[:20000], "x", false))
	if err == nil && ack.ReasonCode == 0 {
		t.Error("CONNECT with such a will was accepted")
	}
}

// cpuTime is what this process has used of its processors, however busy the machine is.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
