//go:build linux

package broker

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/testkit"

	"github.com/mochi-mqtt/server/v2/packets"
)

// mortal is the variable that makes a test's own process the broker that it kills.
const mortal = "CAMQTT_TEST_BROKER"

// becomeBroker serves in this process if it is one that a test has started. It prints
// its address and serves until it is killed.
func becomeBroker(t testing.TB, o Options, prepare func()) {
	o.Data = os.Getenv(mortal)
	if o.Data == "" {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Listeners = []net.Listener{l}
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare()
	}
	go func() { // ends with the process
		<-b.up
		fmt.Println("serving", l.Addr())
	}()
	t.Fatal(b.Serve(context.Background()))
}

// victim is a broker in a process of its own.
type victim struct {
	cmd  *exec.Cmd
	addr string
	log  testkit.Output
	once sync.Once
}

// spawn starts this test's process again, as a broker on a folder.
func spawn(t testing.TB, dir string) *victim {
	t.Helper()
	v := &victim{cmd: exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.bench=^"+t.Name()+"$", "-test.v")}
	v.cmd.Env = append(os.Environ(), mortal+"="+dir)
	v.cmd.Stderr = &v.log
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.kill)
	r := bufio.NewReader(out)
	for v.addr == "" {
		line, err := r.ReadString('\n')
		if err != nil {
			v.kill()
			t.Fatalf("the broker did not start: %v\n%s", err, v.log.String())
		}
		_, v.addr, _ = strings.Cut(strings.TrimSpace(line), "serving ")
	}
	go func() { _, _ = io.Copy(io.Discard, r) }() // ends with the process
	return v
}

func (v *victim) kill() {
	v.once.Do(func() {
		_ = v.cmd.Process.Kill()
		_ = v.cmd.Wait()
	})
}

// The store's pauses in the broker that is killed.
const mortalEvery, mortalSlow = 40 * time.Millisecond, 200 * time.Millisecond

// killer publishes numbered messages to a broker.
type killer struct {
	r    *rand.Rand
	dir  string
	next int
	due  map[string]int // topic -> the newest that was seen on disk or after a kill
}

// numbered is a payload that says whether it is whole.
func numbered(r *rand.Rand, topic string, n int) []byte {
	text := fmt.Sprintf("%d %s %s", n, topic, strings.Repeat("x", r.IntN(3000)))
	return fmt.Appendf(nil, "%08x %s", crc32.ChecksumIEEE([]byte(text)), text)
}

func number(t *testing.T, topic string, p []byte) int {
	t.Helper()
	sum, text, _ := bytes.Cut(p, []byte(" "))
	if fmt.Sprintf("%08x", crc32.ChecksumIEEE(text)) != string(sum) {
		t.Fatalf("%s: what was kept is no message: %.60q", topic, p)
	}
	f := strings.Fields(string(text))
	n, err := strconv.Atoi(f[0])
	if err != nil || f[1] != topic {
		t.Fatalf("%s: kept another one's message %.60q", topic, text)
	}
	return n
}

// look notes what the folder holds.
func (k *killer) look(t *testing.T) {
	t.Helper()
	for topic, m := range onDisk(t, k.dir) {
		k.found(t, topic, m.Payload)
	}
}

// found notes that a message was there, which may be no older than one before.
func (k *killer) found(t *testing.T, topic string, payload []byte) {
	t.Helper()
	n := number(t, topic, payload)
	if n < k.due[topic] {
		t.Errorf("%s: message %d is lost, there is %d", topic, k.due[topic], n)
	}
	k.due[topic] = n
}

var mortalTopics = []string{"homeassistant/a/config", "cam/a/info", "cam/a/state", "cam/b/state", "cam/a/snapshot", "cam/b/preview", "x"}

// publish sends a numbered message and waits for the answer. false: the broker is dead.
func (k *killer) publish(c *client, topic string) bool {
	k.next++
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1, Retain: true},
		TopicName:   topic, PacketID: uint16(k.next%65535 + 1), Payload: numbered(k.r, topic, k.next),
	}
	if c.send(pk) != nil {
		return false
	}
	_, err := c.recv(testkit.Patience)
	return err == nil
}

// torment publishes until the broker is killed, which is at any moment after each topic
// was written once.
func (k *killer) torment(t *testing.T, v *victim) {
	t.Helper()
	c := join(t, v.addr, "pub", 4)
	first := k.next
	for _, topic := range mortalTopics {
		if !k.publish(c, topic) {
			t.Fatalf("the broker died by itself:\n%s", v.log.String())
		}
	}
	testkit.Until(t, "all of it on disk", func() bool {
		k.look(t)
		return !slices.ContainsFunc(mortalTopics, func(topic string) bool { return k.due[topic] <= first })
	})
	killed, life := make(chan struct{}), time.Duration(k.r.IntN(2000))*time.Millisecond
	go func() { // ends with the kill
		defer close(killed)
		<-time.After(life)
		v.kill()
	}()
	for k.publish(c, mortalTopics[k.r.IntN(len(mortalTopics))]) {
		if k.next%50 == 0 {
			k.look(t)
		}
	}
	<-killed
}

// check looks at what a broker has kept that was started after a kill.
func (k *killer) check(t *testing.T, v *victim) {
	t.Helper()
	c := join(t, v.addr, "look", 4)
	c.subscribe(t, 0, "#")
	all := c.drained(t)
	for _, m := range all {
		topic, payload, _ := strings.Cut(m, "=")
		k.found(t, topic, []byte(payload))
	}
	if len(all) != len(mortalTopics) {
		t.Errorf("%d messages are there after a kill, wanted %d", len(all), len(mortalTopics))
	}
}

// A broker that is killed at any moment starts again, with all that it had written by
// then; half-written files do no harm. TestWrittenInTime says when it writes.
// CAMQTT_TEST_KILLS says how often.
func TestKilledAtAnyMoment(t *testing.T) {
	becomeBroker(t, Options{Limits: Limits{StoreEvery: mortalEvery, StoreSlow: mortalSlow, LogEvery: time.Nanosecond}}, nil)
	dir := t.TempDir()
	kills := 5
	if s := os.Getenv("CAMQTT_TEST_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	k := &killer{r: rand.New(rand.NewPCG(1, uint64(os.Getpid()))), dir: dir, due: map[string]int{}}
	for range kills {
		v := spawn(t, dir)
		k.torment(t, v)
		if _, err := os.Stat(filepath.Join(dir, retainedFile+damagedSuffix)); err == nil {
			t.Fatal("a kill damaged the file")
		}
		again := spawn(t, dir)
		k.check(t, again)
		if log := again.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "damaged") {
			t.Errorf("the broker complains after a kill:\n%s", log)
		}
		again.kill()
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*"+damagedSuffix)); len(left) > 0 {
		t.Errorf("damaged: %q", left)
	}
	t.Logf("%d kills, %d messages", kills, k.next)
}

// However often something changes, what a crash loses is younger than both of the
// store's pauses.
func TestWrittenInTime(t *testing.T) {
	dir := t.TempDir()
	limits := DefaultLimits()
	bubble(t, Options{Data: dir, Limits: limits}, func(b *Broker, dial func() *client) {
		cam := dial()
		cam.joins(t, "cam", 4)
		k := &killer{r: rand.New(rand.NewPCG(1, 1)), dir: dir, due: map[string]int{}}
		published := map[int]time.Time{}
		for range 400 {
			time.Sleep(300 * time.Millisecond)
			for _, topic := range mortalTopics {
				if !k.publish(cam, topic) {
					t.Fatal("the connection ended")
				}
				published[k.next] = time.Now()
			}
			k.look(t)
			for n, at := range published {
				topic := mortalTopics[(n-1)%len(mortalTopics)]
				if age := time.Since(at); age > limits.StoreSlow+limits.StoreEvery && k.due[topic] < n {
					t.Fatalf("%s: message %d was not written in %s", topic, n, age)
				}
			}
		}
		if len(k.due) != len(mortalTopics) {
			t.Errorf("on disk: %v", k.due)
		}
	})
}

// What was stored before is there after a kill, to the byte, also when the kill comes
// right behind: nothing that is older than the pauses may depend on what is newer.
func TestKilledAfterWrite(t *testing.T) {
	becomeBroker(t, Options{Limits: Limits{StoreEvery: mortalEvery, StoreSlow: mortalSlow}}, nil)
	dir := t.TempDir()
	v := spawn(t, dir)
	c := join(t, v.addr, "pub", 4)
	picture := bytes.Repeat([]byte("picture"), 5000)
	c.publish(t, "cam/a/status", []byte("online"), 1, true)
	c.publish(t, "cam/a/info", []byte("{}"), 1, true)
	c.publish(t, "cam/a/state", []byte(`{"fps":1}`), 1, true)
	c.publish(t, "cam/a/snapshot", picture, 0, true)
	c.sync(t)
	testkit.Until(t, "all of it on disk", func() bool {
		return len(onDisk(t, dir)) == 4
	})
	v.kill()
	again := spawn(t, dir)
	look := join(t, again.addr, "look", 4)
	look.subscribe(t, 0, "#")
	got := map[string]string{}
	for _, m := range look.drained(t) {
		topic, payload, _ := strings.Cut(m, "=")
		got[topic] = payload
	}
	for topic, want := range map[string]string{
		"cam/a/status": "offline", // whoever was online is not any more
		"cam/a/info":   "{}", "cam/a/state": `{"fps":1}`, "cam/a/snapshot": string(picture),
	} {
		if got[topic] != want {
			t.Errorf("%s: %.40q, wanted %.40q", topic, got[topic], want)
		}
	}
}

// F3 with real descriptors: the process has few, and somebody takes them all. Whoever
// is connected is served, and when they are free again others can come.
func TestDescriptorsRunOut(t *testing.T) {
	becomeBroker(t, Options{Limits: Limits{StoreEvery: mortalEvery, StoreSlow: mortalEvery}}, func() {
		few := syscall.Rlimit{Cur: 40, Max: 40}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
			t.Fatal(err)
		}
	})
	v := spawn(t, t.TempDir())
	early := join(t, v.addr, "early", 4)
	early.subscribe(t, 1, "a")
	var flood []*client
	for range 100 { // the kernel completes them, the broker cannot take them all
		flood = append(flood, dial(t, v.addr))
	}
	testkit.Until(t, "a complaint", func() bool { return strings.Contains(v.log.String(), "too many open files") })
	for i := range 50 {
		early.publish(t, "a", fmt.Append(nil, i), 1, i%10 == 0)
		early.want(t, packets.Publish)
	}
	early.sync(t)
	if n := strings.Count(v.log.String(), "accept failed"); n != 1 {
		t.Errorf("%d lines about it, wanted 1:\n%s", n, v.log.String())
	}
	for _, c := range flood {
		_ = c.c.Close()
	}
	join(t, v.addr, "late", 4).sync(t)
	early.sync(t)
}
