package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// resultCount counts the results of commands by their id.
type resultCount struct {
	mu sync.Mutex
	m  map[string]int
}

func (c *resultCount) receive(m wire.Message) {
	var r wire.Result
	if json.Unmarshal(m.Payload, &r) != nil || r.ID == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m[r.ID]++
}

func (c *resultCount) counts() (different, all int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.m {
		all += n
	}
	return len(c.m), all
}

// Every command of a flood gets exactly one result through our hub, to one camera and to
// all, and a command of another client in its midst is answered soon.
func TestEachCommandOfAFloodHasOneResult(t *testing.T) {
	d := startDemo(t)
	results := &resultCount{m: map[string]int{}}
	l := connected(t, mqttclient.Options{
		URLs: []string{d.mqtt}, ClientID: "flooder", Log: testkit.Log(t),
		Subscriptions: []mqttclient.Subscription{{Filter: "cam/porch/result", QoS: 1}}, Receive: results.receive,
	})
	sent := 0
	for _, flood := range []struct {
		topic, word string
		n           int
	}{{"cam/_all/cmd", "hello", 300}, {"cam/porch/cmd", "stop", 300}} {
		for i := range flood.n {
			m := wire.Message{Topic: flood.topic, Payload: fmt.Appendf(nil, "%s id=%s-%d", flood.word, flood.word, i), QoS: byte(i % 2)}
			if m.QoS == 1 {
				go func() { // ends with the acknowledgement or the test
					if err := l.Publish(t.Context(), m); err != nil && t.Context().Err() == nil {
						t.Errorf("%s: %v", m.Payload, err)
					}
				}()
			} else if err := l.Publish(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			sent++
		}
	}
	began := time.Now()
	must(t, "snap", "porch", "-o", "-", "--broker", d.mqtt)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a snap of another client took %s", took)
	}
	testkit.Until(t, "a result for each command", func() bool { n, _ := results.counts(); return n == sent })
	if n, all := results.counts(); all != sent {
		t.Errorf("%d results for %d commands, of %d ids", all, sent, n)
	}
}

// HTTP connections that nobody logged in for, as many as there are descriptors, keep no
// client of MQTT out.
func TestIdleHTTPLeavesDescriptorsForMQTT(t *testing.T) {
	t.Parallel()
	mqtt, web := "127.0.0.1:"+strconv.Itoa(testkit.FreePort(t)), "127.0.0.1:"+strconv.Itoa(testkit.FreePort(t))
	hub := testkit.Start(t, "sh", "-c", `ulimit -n 200; exec "$0" "$@"`, binary, "run",
		"-c", "broker.listen="+mqtt, "-c", "broker.data=", "-c", "dashboard.listen="+web, "-c", "cameras.porch.source=test:64x48")
	testkit.Until(t, "the hub is ready", func() bool {
		r, err := http.Get("http://" + web + "/readyz")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	held := 0
	for range 400 {
		c, err := net.Dial("tcp", web)
		if err != nil {
			continue // the backlog is full
		}
		defer c.Close()
		_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: "+web+"\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(testkit.Patience))
		if r, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil && r.StatusCode == http.StatusOK {
			held++
		}
	}
	if held < 100 {
		t.Fatalf("%d of 400 HTTP connections were served", held)
	}
	for i := range 20 {
		connected(t, mqttclient.Options{URLs: []string{"mqtt://" + mqtt}, ClientID: fmt.Sprint("camera-", i), Log: testkit.Log(t)})
	}
	online(t, "mqtt://"+mqtt, "porch")
	if !strings.Contains(hub.Err(), "too many are open") {
		t.Errorf("the log does not say that connections were closed:\n%s", hub.Err())
	}
}
