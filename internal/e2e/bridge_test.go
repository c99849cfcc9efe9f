package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// record keeps what cameras publish, by the id in the topic.
type record struct {
	mu       sync.Mutex
	online   map[string]bool
	instance map[string]string
	results  map[string]wire.Result // newest, of snap
	width    map[string]int         // of the newest snapshot
	frames   map[string]int
	clients  int // connected, as the broker says
}

func (r *record) receive(m wire.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Topic == "$SYS/broker/clients/connected" {
		r.clients, _ = strconv.Atoi(string(m.Payload)) // 0 will not do
		return
	}
	id, kind, _ := strings.Cut(strings.TrimPrefix(m.Topic, "cam/"), "/")
	switch wire.Kind(kind) {
	case wire.KindStatus:
		r.online[id] = string(m.Payload) == wire.Online
	case wire.KindInfo:
		var i wire.Info
		if json.Unmarshal(m.Payload, &i) == nil {
			r.instance[id] = i.Instance
		}
	case wire.KindResult:
		var x wire.Result
		if json.Unmarshal(m.Payload, &x) == nil && x.Cmd == string(wire.Snap) {
			r.results[id] = x
		}
	case wire.KindSnapshot:
		if i, err := jpeg.Scan(m.Payload); err == nil && !m.Retained {
			r.width[id] = i.Width
		}
	case wire.KindFrame:
		r.frames[id]++
	}
}

// count counts what the record says of the cameras that keep keeps.
func (r *record) count(of map[string]int, ok func(id string) bool) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range of {
		if ok(id) {
			n++
		}
	}
	return n
}

// watch records everything that cameras publish.
func watch(t testing.TB, broker string) (*record, *mqttclient.Link) {
	t.Helper()
	r := &record{online: map[string]bool{}, instance: map[string]string{}, results: map[string]wire.Result{}, width: map[string]int{}, frames: map[string]int{}}
	subs := []mqttclient.Subscription{{Filter: "$SYS/broker/clients/connected"}}
	for _, k := range []wire.Kind{wire.KindStatus, wire.KindInfo, wire.KindResult, wire.KindSnapshot, wire.KindFrame} {
		subs = append(subs, mqttclient.Subscription{Filter: "cam/+/" + string(k), QoS: 1})
	}
	return r, connected(t, mqttclient.Options{URLs: []string{broker}, ClientID: "yard-watch", Log: testkit.Log(t), Subscriptions: subs, Receive: r.receive})
}

// order gives a camera a command.
func order(t testing.TB, l *mqttclient.Link, id, command string) {
	t.Helper()
	if err := l.Publish(t.Context(), wire.Message{Topic: "cam/" + id + "/cmd", Payload: []byte(command), QoS: 1}); err != nil {
		t.Fatal(err)
	}
}

// TestFiftyCameras has one bridge serve fifty cameras of all kinds, of which one
// hangs, one talks rubbish and two send as fast as they can. All others answer,
// each with its own picture.
func TestFiftyCameras(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	hung := y.add("hangs", "source: WEB/hangs/ID")
	rubbish := y.add("garbage", "source: WEB/garbage/ID")
	flood := y.add("flood", "source: WEB/flood/ID", "fps: 5")
	y.bad = []string{hung, rubbish, flood, y.board(time.Millisecond, y.postPicture)}
	for i := range 46 {
		switch i % 5 {
		case 0:
			y.add("capture", "source: WEB/capture/ID")
		case 1:
			y.add("stream", "source: WEB/stream/ID")
		case 2:
			y.board(200*time.Millisecond, y.postPicture)
		case 3:
			y.board(200*time.Millisecond, y.dropPicture)
		case 4:
			y.add("test", "source: test:WIDTHx48")
		}
	}
	addr := "127.0.0.1:" + strconv.Itoa(testkit.FreePort(t))
	serve(t, "run", "-c", "broker.listen="+addr, "-c", "broker.data=", "-c", "broker.limits.system_every=1s", "-c", "log.level=error")
	bridge := y.start("mqtt://" + addr)
	defer func() {
		if t.Failed() {
			t.Log(bridge.Err())
		}
	}()
	testkit.Until(t, "the broker listens", func() bool { return listens(addr) })
	r, l := watch(t, "mqtt://"+addr)
	testkit.Until(t, "fifty cameras are online and say what they are", func() bool {
		return r.count(y.width, func(id string) bool { return r.online[id] && r.instance[id] != "" }) == 50
	})
	instances := map[string]bool{}
	r.count(y.width, func(id string) bool { instances[r.instance[id]] = true; return true })
	if len(instances) != 50 {
		t.Errorf("%d instances of 50 cameras", len(instances))
	}
	testkit.Until(t, "the broker has a connection for each camera, ours, and its own that describes them to Home Assistant", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.clients == 52
	})

	for _, id := range []string{hung, rubbish, flood} {
		order(t, l, id, "start viewer=yard for=5m")
	}
	testkit.Until(t, "the flood has begun", func() bool {
		return r.count(y.width, func(id string) bool { return id == flood && r.frames[id] > 2 }) == 1
	})
	for round := range 3 {
		for id := range y.width {
			if id != hung && id != rubbish {
				order(t, l, id, fmt.Sprintf("snap id=r%d", round))
			}
		}
		testkit.Until(t, fmt.Sprintf("all but two answer snap %d", round), func() bool {
			return r.count(y.width, func(id string) bool {
				x := r.results[id] // a picture and its result are different messages
				return x.ID == fmt.Sprintf("r%d", round) && (!x.OK || r.width[id] == y.width[id])
			}) == 48
		})
		r.count(y.width, func(id string) bool {
			if id == hung || id == rubbish {
				return false
			}
			if x := r.results[id]; !x.OK {
				t.Errorf("round %d: %s answers %+v", round, id, x)
			} else if r.width[id] != y.width[id] {
				t.Errorf("round %d: the picture of %s is %d wide, want %d", round, id, r.width[id], y.width[id])
			}
			return false
		})
	}
	for id, want := range map[string]string{hung: "no_camera stalled timeout camera_busy", rubbish: "no_camera stalled timeout"} {
		order(t, l, id, "snap id=bad")
		testkit.Until(t, id+" has a result", func() bool {
			return r.count(y.width, func(i string) bool { return i == id && r.results[i].ID == "bad" }) == 1
		})
		r.mu.Lock()
		if x := r.results[id]; x.OK || !strings.Contains(want, string(x.Code)) || x.Text == "" {
			t.Errorf("%s answers %+v, want one of %s", id, x, want)
		}
		r.mu.Unlock()
	}
	interrupt(t, bridge)
	testkit.Until(t, "all have said offline", func() bool {
		return r.count(y.width, func(id string) bool { return !r.online[id] }) == 50
	})
	if strings.Contains(bridge.Err(), yardToken) {
		t.Error("the log tells the token")
	}
	if listens(y.tcp) || listens(y.http) {
		t.Error("the ports for boards are still open")
	}
}
