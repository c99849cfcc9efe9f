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
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

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
	log  lines
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

// grace is what a write and a busy machine may take on top of the pauses.
const grace = 1500 * time.Millisecond

// killer publishes numbered messages to a broker and notes when.
type killer struct {
	r    *rand.Rand
	next int
	sent map[string][]note // topic -> what was acknowledged since the last kill, oldest first
	kept map[string]int    // topic -> what was there after the last kill
}

type note struct {
	n  int
	at time.Time
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

func (k *killer) torment(t *testing.T, v *victim) {
	t.Helper()
	c := join(t, v.addr, "pub", 4)
	killed, life := make(chan struct{}), time.Duration(k.r.IntN(2500))*time.Millisecond
	go func() { // ends with the kill
		defer close(killed)
		<-time.After(life)
		v.kill()
	}()
	topics := []string{"homeassistant/a/config", "cam/a/info", "cam/a/state", "cam/b/state", "cam/a/snapshot", "cam/b/preview", "x"}
	for {
		topic := topics[k.r.IntN(len(topics))]
		k.next++
		pk := packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1, Retain: true},
			TopicName:   topic, PacketID: uint16(k.next%65535 + 1), Payload: numbered(k.r, topic, k.next),
		}
		if c.send(pk) != nil {
			break
		}
		if _, err := c.recv(10 * time.Second); err != nil {
			break
		}
		k.sent[topic] = append(k.sent[topic], note{k.next, time.Now()})
	}
	<-killed
}

// check looks at what a broker has kept that was started after a kill at a moment.
func (k *killer) check(t *testing.T, v *victim, killed time.Time) {
	t.Helper()
	c := join(t, v.addr, "look", 4)
	c.subscribe(t, 0, "#")
	found := map[string]int{}
	for _, m := range c.drained(t) {
		topic, payload, _ := strings.Cut(m, "=")
		found[topic] = number(t, topic, []byte(payload))
	}
	for topic, notes := range k.sent {
		// What was acknowledged longer ago than any pause, and the time that a write may
		// take on a busy machine, must be there, or something newer.
		due := k.kept[topic]
		for _, n := range notes {
			if killed.Sub(n.at) > mortalSlow+mortalEvery+grace {
				due = n.n
			}
		}
		if found[topic] < due {
			t.Errorf("%s: message %d is lost, there is %d", topic, due, found[topic])
		}
	}
	k.sent, k.kept = map[string][]note{}, found
}

// A broker that is killed at any moment starts again, with all that is older than the
// store's pauses; half-written files do no harm. CAMQTT_TEST_KILLS says how often.
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
	k := &killer{r: rand.New(rand.NewPCG(1, uint64(os.Getpid()))), sent: map[string][]note{}, kept: map[string]int{}}
	for range kills {
		v := spawn(t, dir)
		k.torment(t, v)
		killed := time.Now()
		if _, err := os.Stat(filepath.Join(dir, retainedFile+damagedSuffix)); err == nil {
			t.Fatal("a kill damaged the file")
		}
		again := spawn(t, dir)
		k.check(t, again, killed)
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
	until(t, "all of it on disk", func() bool {
		text, _ := os.ReadFile(filepath.Join(dir, retainedFile))
		pictures, _ := filepath.Glob(filepath.Join(dir, pictureFolder, "*"+pictureSuffix))
		return bytes.Count(text, []byte("\n")) == 3 && len(pictures) == 1
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
	until(t, "a complaint", func() bool { return strings.Contains(v.log.String(), "too many open files") })
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
