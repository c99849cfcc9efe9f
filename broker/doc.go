// Package broker is the embedded MQTT broker: it takes connections, guards the
// protocol engine behind them and carries pictures past it on a lane where the
// newest one wins. It owns every connection given to it, the sessions, the wills,
// the retained messages and their file, and the one function that says who may do
// what. It never waits for a client, never keeps more for one than [Limits] says,
// and never writes a password or a payload to the log.
//
// The engine is github.com/mochi-mqtt/server/v2, unmodified. It parses and checks
// packets, answers them and keeps the tree of subscriptions. Everything that was
// found to lose data, to block or to grow in it is done here instead: accepting,
// framing, limits, the end of a connection, sessions and their expiry, wills,
// retained messages, the choice of receivers and every byte that goes out.
//
// # Order
//
// A message is handed to each receiver's connection in the publisher's own
// goroutine before the next packet of that publisher is read, and a connection
// writes what it was handed in that order. So a receiver that keeps up sees one
// publisher's messages as they were sent, pictures and others alike. A receiver
// that is behind loses older pictures, never the order of what remains, except
// that a newer frame or preview takes the place in the line of the one it
// replaces.
//
// # What stays as the engine does it
//
//   - A live message on a topic is not matched by a filter that ends in "+/#" where
//     the "+" would have to stand for the topic's last level. ("a/#" does match "a".)
//   - A QoS 2 message is forwarded when PUBLISH arrives, not at PUBREL; one packet
//     identifier in flight in both directions at once can end the duplicate check of
//     that one message early. The broker numbers its own packets from 32768 up to
//     make that rare.
//   - Where filters of one client overlap, retain-as-published is taken from one of
//     them, and no-local holds if any of them asks for it.
//   - The count of subscriptions under $SYS can be one too low after an UNSUBSCRIBE of
//     a filter that only others hold. $SYS is at most 30 seconds old.
//   - Topic aliases are neither accepted nor used.
//   - Sessions are not written to disk: what waits at QoS 1 or 2 for an absent client
//     ends with the process.
package broker
