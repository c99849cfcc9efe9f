package httpcam

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
)

// published is a broker that remembers snapshots and results.
type published struct {
	mu    sync.Mutex
	snaps [][]byte
	said  []string
}

func (p *published) Publish(_ context.Context, msgs ...wire.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range msgs {
		switch {
		case strings.HasSuffix(m.Topic, "/snapshot"):
			p.snaps = append(p.snaps, m.Payload)
		case strings.HasSuffix(m.Topic, "/result"):
			p.said = append(p.said, string(m.Payload))
		}
	}
	return nil
}

func (p *published) take() (snaps [][]byte, said string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	snaps, said = p.snaps, strings.Join(p.said, " ")
	p.snaps, p.said = nil, nil
	return snaps, said
}

// A snap by MQTT from a board whose buffers are full of old pictures is of after
// the command, whatever goes on: nothing, a stream, a slow stream, a restart.
func TestSnapFromBoard(t *testing.T) {
	for i := range 8 {
		buffers, zero := i/2+1, i%2 == 1
		t.Run(fmt.Sprint(buffers, zero), func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				esp := newESP(t, board.CameraWebServer)
				esp.buffers, esp.zeroFrac = buffers, zero
				esp.restart()
				source, err := openSource("http://esp32/", camera.Options{HTTPClient: esp.client()})
				if err != nil {
					t.Fatal(err)
				}
				link := &published{}
				n, err := node.New(node.Options{ID: "porch", Source: source, Link: link, Log: testkit.Log(t)})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- n.Serve(ctx) }() // ends with ctx; it is waited for below
				n.LinkUp()
				say := func(cmd string) { n.Handle(wire.Message{Topic: "cam/porch/cmd", Payload: []byte(cmd)}) }
				for i, before := range []string{"", "", "start viewer=a for=1h", "", "stop", "start viewer=a fps=0.5 for=1h", "", "stop", "restart", ""} {
					switch before {
					case "":
					case "restart":
						esp.restart()
					default:
						say(before)
					}
					time.Sleep(time.Minute + time.Duration(i)*17*time.Millisecond)
					link.take()
					asked := time.Now()
					say("snap")
					time.Sleep(5 * time.Second)
					snaps, said := link.take()
					if len(snaps) != 1 {
						t.Errorf("%d %s: %d snapshots, results %s", i, before, len(snaps), said)
						continue
					}
					if taken := esp.taken(snaps[0]); taken.Before(asked) {
						t.Errorf("%d %s: taken %v before the command", i, before, asked.Sub(taken))
					}
					if (i == 2 || i == 3) != (esp.watching() == 1) {
						t.Errorf("%d %s: the stream has %d viewers", i, before, esp.watching())
					}
				}
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
				time.Sleep(10 * time.Second)
			})
		})
	}
}
