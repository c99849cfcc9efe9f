package broker

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/wire"
)

// Cameras that flood a slow reader with messages do not make another camera's results
// miss it, at any QoS.
func TestSlowReaderIsShared(t *testing.T) {
	for _, floods := range []int{1, 5} {
		for _, qos := range []byte{0, 1} {
			t.Run(fmt.Sprintf("%d cameras at QoS %d", floods, qos), func(t *testing.T) {
				accounts := []access.Account{cameraOf("quiet"), viewerOf("ann")}
				for i := range floods {
					accounts = append(accounts, cameraOf(wire.ID(fmt.Sprint("loud", i))))
				}
				g := startLimited(t, Limits{QueueBytes: 1 << 20, SendBytes: 1 << 18}, access.AnonymousNever, accounts...)
				ann := join(t, g.addr, "ann", 4, g.asUser("ann"))
				ann.subscribe(t, qos, "cam/+/event", "cam/+/result")
				// The reader stops reading.
				for i := range floods {
					name := fmt.Sprint("loud", i)
					loud := join(t, g.addr, name, 4, g.asUser(name))
					for range 20 << 20 / maxCameraText {
						loud.publish(t, "cam/"+name+"/event", make([]byte, maxCameraText), qos, false)
					}
					loud.sync(t)
				}
				quiet := join(t, g.addr, "quiet", 4, g.asUser("quiet"))
				for i := range 10 {
					quiet.publish(t, "cam/quiet/result", fmt.Append(nil, i), qos, false)
				}
				quiet.sync(t)
				for i := 0; i < 10; {
					pk, err := ann.recv(5 * time.Second)
					if err != nil {
						t.Fatalf("%d of 10 results came: %v", i, err)
					}
					ann.ack(pk)
					if pk.TopicName == "cam/quiet/result" {
						if !bytes.Equal(pk.Payload, fmt.Append(nil, i)) {
							t.Errorf("result %d is %s", i, pk.Payload)
						}
						i++
					}
				}
			})
		}
	}
}
