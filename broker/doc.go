// Package broker is the embedded MQTT broker: it accepts connections, checks every packet
// and delivers messages, of pictures the newest one only. It owns every connection given
// to it, the sessions, the wills, the retained messages and their file. It asks package
// access who a client is and what it may do. It never waits for a client, never keeps more
// for one than [Limits] says, and never writes a password or a payload to the log.
//
// Packets are parsed once, by package mqtt. The library github.com/mochi-mqtt/server/v2,
// unmodified, supplies the tree of subscriptions: which filters match a topic, and whose
// they are, shared ones included. Its server is not used. Everything else is done here:
// limits, sessions and their expiry, QoS 1 and 2 in both directions, wills, retained
// messages, $SYS, the choice of receivers and every byte that is sent.
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
// # What is kept on disk
//
// Retained messages, and of the pictures previews and snapshots, never a frame. Changes
// are appended to a log, pictures have files that are replaced whole, so that a crash at
// any instant loses what came in the last [Limits].StoreEvery; of a topic that changes
// all the time, [Limits].StoreSlow, which is what spares memory cards: a longer one
// costs nothing but older states after a crash, and those are published anew as soon
// as a camera is back. A camera's status and what was removed never wait for it. What
// is damaged is set aside beside the rest, which is kept. One process at a time may use
// a folder.
//
// # Where it differs from what one might expect
//
//   - A QoS 2 message is forwarded when PUBLISH arrives, not at PUBREL.
//   - Where filters of one client overlap, retain-as-published is taken from one of
//     them, and no-local holds if any of them asks for it. It gets the message once.
//   - A client identifier belongs to the account that uses it. Another account that
//     comes with it is refused, in the place of taking over its session
//     [MQTT-3.1.4-3]. So is a client identifier that is the name of another account.
//   - A client identifier that begins with "$hub/" is refused: it belongs to a part of
//     this program.
//   - Commands to cameras above a rate are delivered later, and acknowledged only then;
//     other packets of their sender overtake them. A command that no camera takes for ten
//     seconds is not acknowledged.
//   - Messages that wait for a client leave in turn of the accounts that published them.
//     The messages of one account keep their order.
//   - After the broker has ended a connection it reads on for two seconds, so that a
//     client that is still writing can read why.
//   - A group of shared subscriptions is one for each account.
//   - The retain flag of a client that may not retain is ignored.
//   - When an account goes or changes, its connections are closed, its sessions end
//     with what waits in them, and its wills are published.
//   - A client that publishes without the right to is not disconnected: MQTT 5 clients are told
//     in the acknowledgement, others are acknowledged as if nothing were wrong, because
//     they would send it again for ever. The log says so.
//   - Topic aliases are taken, ten per client, and never used.
//   - A broken packet ends the connection; MQTT 5 clients are told why. What is only
//     too much, such as a filter of too many levels, is refused by itself.
//   - Sessions are not written to disk: what waits at QoS 1 or 2 for an absent client
//     ends with the process.
package broker
