package app

import (
	"camqtt/broker"
	"camqtt/internal/config"
	"camqtt/internal/memlimit"
	"camqtt/internal/usage"
)

// addBroker adds the embedded broker.
func addBroker(p *process) error {
	c := p.cfg.Broker
	if c == nil {
		return nil
	}
	number, _ := Version()
	limits := brokerLimits(c.Limits)
	limits.Connections = brokerConnections(limits.Connections, p.log)
	o := broker.Options{
		Base: string(p.cfg.Base), Data: c.Data, Access: p.accounts, Discovery: p.cfg.HomeAssistant.Prefix, Served: Served(p.cfg),
		Limits: limits, Protocols: p.enrolment.protocols(), Version: number, Log: p.log,
	}
	if c.Listen != "" {
		l, err := p.listen("MQTT", c.Listen, p.o.MQTTHint)
		if err != nil {
			return err
		}
		p.mqttAddr = l.Addr()
		o.Listeners = append(o.Listeners, l)
	}
	if c.TLS.Listen != "" {
		l, err := p.listen("MQTT over TLS", c.TLS.Listen, "another port for broker.tls.listen")
		if err != nil {
			return err
		}
		p.tlsAddr = l.Addr()
		if l, err = p.tls.broker(l); err != nil {
			return err
		}
		o.Listeners = append(o.Listeners, l)
	}
	if c.Unix != "" {
		l, err := broker.ListenUnix(c.Unix)
		if err != nil {
			return usage.Hint(err, "another path for broker.unix, in a folder that this user may write to")
		}
		p.bound = append(p.bound, l)
		o.Listeners = append(o.Listeners, l)
	}
	br, err := broker.New(o)
	if err != nil {
		return err
	}
	p.hub.broker = br
	p.check(p.hub.aliveCheck())
	p.add("broker", br)
	if c.Data != "" {
		p.add("list of cameras", inUseList{dir: c.Data, now: p.hub.inUse, log: p.log})
	}
	return nil
}

// brokerLimits turns the configuration's limits into the broker's. What has its default
// is made to fit the memory.
func brokerLimits(c config.BrokerLimits) broker.Limits {
	def := broker.DefaultLimits()
	if c.RetainedBytes == def.RetainedBytes {
		c.RetainedBytes = 0
	}
	if c.QueueBytes == def.QueueBytes {
		c.QueueBytes = 0
	}
	return broker.Limits{
		Memory:      memlimit.Available(),
		Connections: c.Connections, PerListener: c.ConnectionsPerPort, PerAddress: c.ConnectionsPerAddress, PerAccount: c.ConnectionsPerAccount,
		ConnectTime: c.ConnectTime, ConnectPacket: c.ConnectBytes, Packet: c.PacketBytes, ControlPacket: c.ControlBytes, PacketRate: c.PacketsPerSecond,
		TopicBytes: c.TopicBytes, TopicLevels: c.TopicLevels, Subscriptions: c.Subscriptions, Keepalive: c.Keepalive,
		Sessions: c.Sessions, SessionExpiry: c.SessionExpiry, Queue: c.QueueMessages, QueueBytes: c.QueueBytes,
		RetainedMessages: c.RetainedMessages, RetainedBytes: c.RetainedBytes, RetainedMessage: c.RetainedMessageBytes,
		StoreEvery: c.StoreEvery, StoreSlow: c.StoreSlow, SystemEvery: c.SystemEvery,
	}
}
