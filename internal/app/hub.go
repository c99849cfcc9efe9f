package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"camqtt/broker"
	"camqtt/internal/diskspace"
	"camqtt/internal/inuse"
	"camqtt/internal/mqttclient"
	"camqtt/internal/run"
	"camqtt/internal/wire"
)

// hub is the embedded broker, or the way to another one.
type hub struct {
	*parts
	broker *broker.Broker // nil: another program's
}

// embedded reports whether the parts of this process use its own broker.
func (h *hub) embedded() bool { return h.broker != nil && len(h.cfg.MQTT.URL) == 0 }

// link returns how the parts of this process reach the broker: through a pipe in memory if
// it is embedded and the configuration names no other.
func (h *hub) link() (mqttclient.Options, error) {
	if h.embedded() {
		return mqttclient.Options{Dial: h.dial}, nil
	}
	return LinkOptions(h.cfg.MQTT)
}

// dial connects to the embedded broker without a network.
func (h *hub) dial(context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	go func() { // ends when either side closes the pipe, or the broker ends
		if err := h.broker.Attach(context.Background(), far); err != nil {
			h.log.Debug("pipe to the broker ended", "err", err)
		}
	}()
	return near, nil
}

// inUse are the cameras that this hub has now.
func (h *hub) inUse() inuse.List {
	l := inuse.List{Served: Served(h.cfg)}
	if h.broker != nil {
		l.Online = slices.DeleteFunc(h.broker.Online(), func(id wire.ID) bool { return slices.Contains(l.Served, id) })
	}
	return l
}

// disk returns an error while this process cannot write to its data folder.
func (h *hub) disk() error {
	dir := h.cfg.AccountsData()
	if err := diskspace.Full(dir); err != nil {
		return err
	}
	if h.broker != nil && h.broker.StoreFailing() {
		return fmt.Errorf("retained messages cannot be written to %s; the log says why", dir)
	}
	return nil
}

// aliveCheck connects to the embedded broker as a client and waits for the answer.
// [MQTT-3.1.4-4]
func (h *hub) aliveCheck() run.Check {
	return run.Check{Name: "broker", Alive: func(ctx context.Context) error {
		c, err := h.dial(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		return ping(c)
	}}
}

// ping sends CONNECT, reads CONNACK and sends DISCONNECT, in MQTT 3.1.1.
func ping(c net.Conn) error {
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
