// Package brokeracl writes the access rules of topics.md for other brokers: Mosquitto,
// NATS, EMQX and RabbitMQ. It contains the file formats and the differences from the
// embedded broker. Permissions come from [access.Space.Allowed] only. It writes no
// secrets, connects to no broker, and grants no more than an account has, as far as the
// broker can express it.
package brokeracl
