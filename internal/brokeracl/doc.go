// Package engine writes the rights of topics.md down for other brokers: Mosquitto,
// NATS, EMQX and RabbitMQ. It owns their forms and what it knows of how each differs
// from the embedded broker; what is allowed it asks of [access.Space.Allowed], so that
// no right stands here a second time. It never writes a secret, never grants more than
// an account has where the engine can tell the difference, and never talks to a broker.
package brokeracl
