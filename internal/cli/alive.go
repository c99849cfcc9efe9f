package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"camqtt/internal/run"
)

// brokerCheck does what a client does first: it connects to the embedded broker
// by a pipe of its own and waits to be answered. [MQTT-3.1.4-4]
func (b *plant) brokerCheck() run.Check {
	return run.Check{Name: "broker", Alive: func(ctx context.Context) error {
		c, err := b.pipe(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		return greet(c)
	}}
}

// greet says CONNECT, hears CONNACK and says DISCONNECT, in MQTT 3.1.1.
func greet(c net.Conn) error {
	const id = "camqtt-watchdog"
	hello := append([]byte{0x10, byte(12 + len(id)), 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, byte(len(id))}, id...)
	if _, err := c.Write(hello); err != nil {
		return fmt.Errorf("send CONNECT to the broker: %w", err)
	}
	var answer [4]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return fmt.Errorf("wait for the broker's CONNACK: %w", err)
	}
	if answer != [4]byte{0x20, 2, 0, 0} {
		return errors.New("the broker refused its own program")
	}
	if _, err := c.Write([]byte{0xe0, 0}); err != nil {
		return fmt.Errorf("send DISCONNECT to the broker: %w", err)
	}
	return nil
}
