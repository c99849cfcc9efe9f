package broker

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
	"camqtt/internal/testkit/faketime"
)

// commandCamera is a camera that counts the commands it receives.
type commandCamera struct {
	mu  sync.Mutex
	got map[string]int // by payload
	at  map[string]time.Time
}

// watchCommands joins a camera that takes commands until its connection ends.
func (h *hall) watchCommands(t *testing.T, id string, qos byte) *commandCamera {
	t.Helper()
	cam := &commandCamera{got: map[string]int{}, at: map[string]time.Time{}}
	c := h.join("node-"+id, id)
	c.subscribe(t, qos, "cam/"+id+"/cmd", "cam/_all/cmd")
	go func() { // ends with the connection
		for {
			pk, err := c.recv(time.Hour)
			if err != nil {
				return
			}
			if pk.FixedHeader.Type != packets.Publish {
				continue
			}
			cam.mu.Lock()
			cam.got[string(pk.Payload)]++
			cam.at[string(pk.Payload)] = time.Now()
			cam.mu.Unlock()
			c.ack(pk)
		}
	}()
	return cam
}

// counts returns how many different commands came, and how many in all.
func (cam *commandCamera) counts() (different, all int) {
	cam.mu.Lock()
	defer cam.mu.Unlock()
	for _, n := range cam.got {
		all += n
	}
	return len(cam.got), all
}

// sender is a client that sends without waiting and counts acknowledgements.
type sender struct {
	c    *client
	mu   sync.Mutex
	acks int
	pong chan struct{}
}

func (h *hall) sender(id, account string) *sender {
	s := &sender{c: h.join(id, account), pong: make(chan struct{}, 1)}
	go func() { // ends with the connection
		for {
			pk, err := s.c.recv(time.Hour)
			if err != nil {
				return
			}
			switch pk.FixedHeader.Type {
			case packets.Puback:
				s.mu.Lock()
				s.acks++
				s.mu.Unlock()
			case packets.Pingresp:
				s.pong <- struct{}{}
			}
		}
	}()
	return s
}

func (s *sender) acknowledged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks
}

// One viewer who floods a camera with two connections is slowed to the rate of one. None
// of his commands that were acknowledged is lost, his connections stay alive, and the
// commands of 20 others arrive at once.
func TestFloodOfCommandsIsSlowed(t *testing.T) {
	for _, qos := range []byte{0, 1} {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				others := []access.Account{cameraOf("front"), viewerOf("mob")}
				for i := range 20 {
					others = append(others, viewerOf(fmt.Sprint("viewer", i)))
				}
				h := newHallOf(t, Limits{}, others...)
				defer h.stop()
				cam := h.watchCommands(t, "front", 1)
				var flood sync.WaitGroup
				began := time.Now()
				mob := []*sender{h.sender("mob-1", "mob"), h.sender("mob-2", "mob")}
				for k, s := range mob {
					flood.Go(func() { // ends when all is sent
						for i := range 1000 {
							s.c.publish(t, "cam/front/cmd", fmt.Appendf(nil, "snap id=%d-%d", k, i), qos, false)
						}
					})
				}
				time.Sleep(time.Second)
				for i := range 20 {
					v := h.sender(fmt.Sprint("v", i), fmt.Sprint("viewer", i))
					v.c.publish(t, "cam/front/cmd", fmt.Appendf(nil, "snap id=v%d", i), 1, false)
				}
				sent := time.Now()
				time.Sleep(time.Second)
				cam.mu.Lock()
				for i := range 20 {
					at, ok := cam.at[fmt.Sprintf("snap id=v%d", i)]
					if !ok || at.Sub(sent) > 200*time.Millisecond {
						t.Errorf("the command of viewer %d came after %v", i, at.Sub(sent))
					}
				}
				cam.mu.Unlock()
				if n, _ := cam.counts(); n > 200+20+2*50+5 {
					t.Errorf("%d commands came within 2 s, want at most a burst and 50 a second", n)
				}
				if qos == 1 {
					time.Sleep(10 * time.Second)
					if n := mob[0].acknowledged() + mob[1].acknowledged(); n > 200+12*50+5 {
						t.Errorf("%d commands were acknowledged within 12 s, want no more than were delivered", n)
					}
				}
				flood.Wait()
				for _, s := range mob { // who is held back is not taken for dead
					if err := s.c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}}); err != nil {
						t.Fatal(err)
					}
					<-s.pong
				}
				time.Sleep(time.Minute)
				if n, all := cam.counts(); n != 2020 || all != 2020 {
					t.Errorf("%d commands came, %d of them different, want 2020", all, n)
				}
				if last := cam.lastOf("snap id="); last.Sub(began) < 34*time.Second || last.Sub(began) > 40*time.Second {
					t.Errorf("2000 commands of one account took %v, want 36 s", last.Sub(began))
				}
			})
		})
	}
}

func (cam *commandCamera) lastOf(string) (last time.Time) {
	cam.mu.Lock()
	defer cam.mu.Unlock()
	for _, at := range cam.at {
		if at.After(last) {
			last = at
		}
	}
	return last
}

// Commands that a client has sent before it leaves are delivered, also those that are
// over its rate.
func TestCommandsOfLeavingClient(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		h := newHallOf(t, Limits{}, cameraOf("front"), viewerOf("ann"))
		defer h.stop()
		cam := h.watchCommands(t, "front", 1)
		c := h.sender("ann-1", "ann")
		for i := range 400 {
			c.c.publish(t, "cam/_all/cmd", fmt.Appendf(nil, "hello id=%d", i), 0, false)
		}
		_ = c.c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
		_ = c.c.c.Close()
		time.Sleep(10 * time.Second)
		if n, all := cam.counts(); n != 400 || all != 400 {
			t.Errorf("%d commands came, %d of them different, want 400", all, n)
		}
	})
}

// Accounts that flood a camera together take turns, and the camera is given no more than
// it can answer.
func TestCommandsTakeTurns(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		accounts := []access.Account{cameraOf("front"), viewerOf("late")}
		for i := range 10 {
			accounts = append(accounts, viewerOf(fmt.Sprint("mob", i)))
		}
		h := newHallOf(t, Limits{}, accounts...)
		defer h.stop()
		cam := h.watchCommands(t, "front", 1)
		for i := range 10 {
			s := h.sender(fmt.Sprint("m", i), fmt.Sprint("mob", i))
			go func() { // ends when all is sent
				for k := range 200 {
					s.c.publish(t, "cam/front/cmd", fmt.Appendf(nil, "stop id=%d-%d", i, k), 1, false)
				}
			}()
		}
		time.Sleep(100 * time.Millisecond)
		late := h.sender("late", "late")
		began := time.Now()
		late.c.publish(t, "cam/front/cmd", []byte("snap id=late"), 1, false)
		time.Sleep(time.Second)
		if n, _ := cam.counts(); n > cameraBurst+2*cameraRate {
			t.Errorf("%d commands were handed over within 1.1 s", n)
		}
		cam.mu.Lock()
		if at, ok := cam.at["snap id=late"]; !ok || at.Sub(began) > 200*time.Millisecond {
			t.Errorf("a command behind the flood of ten accounts came after %v", at.Sub(began))
		}
		cam.mu.Unlock()
		time.Sleep(time.Minute)
		if n, all := cam.counts(); n != 2001 || all != 2001 {
			t.Errorf("%d commands came, %d of them different, want 2001", all, n)
		}
	})
}

// A client that is taken over, or the broker that ends, is not held up by commands that
// wait, and those are not delivered later.
func TestParkedCommandsEndWithTakeover(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		h := newHallOf(t, Limits{}, cameraOf("front"), viewerOf("ann"))
		defer h.stop()
		cam := h.watchCommands(t, "front", 1)
		first := h.sender("ann-1", "ann")
		for i := range 1000 {
			first.c.publish(t, "cam/front/cmd", fmt.Appendf(nil, "stop id=%d", i), 1, false)
		}
		began := time.Now()
		second := h.sender("ann-1", "ann")
		second.c.publish(t, "cam/front/cmd", []byte("stop id=second"), 1, false)
		if d := time.Since(began); d > time.Second {
			t.Errorf("it took %v to take the client over", d)
		}
		time.Sleep(time.Minute)
		if acked, _ := cam.counts(); acked < first.acknowledged()+1 || acked > 300 {
			t.Errorf("%d commands came, %d were acknowledged", acked, first.acknowledged()+1)
		}
	})
}

// What is said on topics of a camera that carry text is small; what is larger is refused
// and said so to MQTT 5 clients.
func TestTextOfCamerasIsBounded(t *testing.T) {
	b := start(t, Options{}, local)
	viewer := join(t, b.addr, "viewer", 5)
	viewer.subscribe(t, 1, "cam/#")
	cam := join(t, b.addr, "cam", 5)
	cam.publish(t, "cam/front/cmd", make([]byte, maxCameraText+1), 1, false) // is answered by the camera
	if pk := viewer.message(t); pk.TopicName != "cam/front/cmd" {
		t.Errorf("%s came, want the command", pk.TopicName)
	}
	cam.want(t, packets.Puback)
	for _, topic := range []string{"cam/front/event", "cam/front/result", "cam/front/info", "cam/front/snapshot/meta"} {
		cam.publish(t, topic, make([]byte, maxCameraText+1), 1, true)
		if code := cam.want(t, packets.Puback).ReasonCode; code != packets.ErrQuotaExceeded.Code {
			t.Errorf("%s of 64 KiB and 1 byte: code %#x, want %#x", topic, code, packets.ErrQuotaExceeded.Code)
		}
	}
	cam.publish(t, "cam/front/event", make([]byte, maxCameraText), 1, false)
	if code := cam.want(t, packets.Puback).ReasonCode; code != 0 {
		t.Errorf("an event of 64 KiB: code %#x", code)
	}
	cam.publish(t, "cam/front/frame", make([]byte, maxCameraText+1), 0, false)
	for _, want := range []string{"cam/front/event", "cam/front/frame"} {
		if pk := viewer.message(t); pk.TopicName != want {
			t.Errorf("%s of %d bytes came, want %s", pk.TopicName, len(pk.Payload), want)
		}
	}
}

// Large commands are held back like many: what waits for a camera that takes nothing
// stays small.
func TestLargeCommandsAreHeldBack(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		h := newHallOf(t, Limits{Window: 1}, cameraOf("front"), viewerOf("mob"))
		defer h.stop()
		cam := h.join("node-front", "front")
		cam.subscribe(t, 1, "cam/front/cmd")
		s := h.sender("mob-1", "mob")
		go func() { // ends with the connection
			for range 100 {
				if s.c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "cam/front/cmd", Payload: make([]byte, 100_000)}) != nil {
					return
				}
			}
		}()
		time.Sleep(5 * time.Second)
		waiting := 0
		for _, one := range h.b.sessions.all() {
			one.mu.Lock()
			waiting += one.waiting.bytes
			one.mu.Unlock()
		}
		if waiting > 2*commandsBytes {
			t.Errorf("%d bytes wait for a camera that takes nothing", waiting)
		}
	})
}

// A program that looks on and acknowledges nothing keeps no command from a camera.
func TestOnlookersHoldUpNoCommands(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		root := access.Account{Name: "root", Role: access.Admin}
		h := newHallOf(t, Limits{Window: 1, CommandBurst: 1000, CommandRate: 1000}, cameraOf("front"), viewerOf("mob"), root)
		defer h.stop()
		cam := h.watchCommands(t, "front", 1)
		log := h.join("log", "root")
		log.subscribe(t, 1, "#")
		go func() { // reads and acknowledges nothing; ends with the connection
			for {
				if _, err := log.recv(time.Hour); err != nil {
					return
				}
			}
		}()
		s := h.sender("mob-1", "mob")
		const all = 2 * commandsWaiting
		go func() { // ends with the connection
			for n := range all {
				if s.c.send(packets.Packet{
					FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: uint16(n + 1),
					TopicName: "cam/front/cmd", Payload: fmt.Appendf(nil, "snap %d", n),
				}) != nil {
					return
				}
			}
		}()
		time.Sleep(30 * time.Second)
		if n, _ := cam.counts(); n != all {
			t.Errorf("%d of %d commands have come to the camera", n, all)
		}
	})
}

// A command that no camera takes is not acknowledged: MQTT 5 clients are told.
func TestCommandThatNoCameraTakes(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		h := newHallOf(t, Limits{Window: 1, CommandBurst: 1000, CommandRate: 1000}, cameraOf("front"), viewerOf("mob"))
		defer h.stop()
		cam := h.join("node-front", "front")
		cam.subscribe(t, 1, "cam/front/cmd")
		go func() { // reads and acknowledges nothing; ends with the connection
			for {
				if _, err := cam.recv(time.Hour); err != nil {
					return
				}
			}
		}()
		for _, v := range []byte{4, 5} {
			c := h.joinAs(fmt.Sprint("mob-", v), "mob", v)
			taken, refused := make(chan int), make(chan int)
			go func() { // ends with the connection
				ok, no := 0, 0
				for {
					pk, err := c.recv(30 * time.Second)
					if err != nil {
						taken <- ok
						refused <- no
						return
					}
					if pk.ReasonCode < packets.ErrUnspecifiedError.Code {
						ok++
					} else {
						no++
					}
				}
			}()
			for range commandsWaiting + 3 {
				c.publish(t, "cam/front/cmd", []byte("stop"), 1, false)
			}
			ok, no := <-taken, <-refused
			waiting := 0
			for _, s := range h.b.sessions.all() {
				waiting += s.waiting.n + len(s.inflight)
			}
			if v == 4 && (ok != commandsWaiting+1 || waiting != ok) || v == 5 && no == 0 {
				t.Errorf("version %d: %d commands acknowledged, %d refused, %d kept", v, ok, no, waiting)
			}
			_ = c.c.Close()
		}
	})
}
