// Package enrol lets the machine of a camera join a hub with one line of text, the join
// string. It has the addresses of the hub, the hub's key and a secret that is good once, and
// is exchanged for an account for one camera. The package owns the form of that string, the
// file with a hub's invitations, and both sides of the exchange.
//
// # The exchange
//
// It is HTTP/1.1 on the hub's own TLS port, for clients that ask for [Protocol] by ALPN. The
// node checks that the hub has the key of the join string before it sends anything. GET /join
// describes the hub. The node makes a token, writes it to durable storage, and sends it with
// the secret by POST /join; the hub uses up the invitation, makes the account with that token
// and confirms. So no account has a token that is lost: after an interruption the node has
// joined, or needs another join string.
package enrol
