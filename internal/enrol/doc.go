// Package enrol lets a camera's machine come in with one line of text: an invitation
// holds where the hub is, which key it has and a secret that is good once, and is
// exchanged for the account of one camera. It owns the form of that text, the file in
// which a hub's invitations are, and both sides of the exchange. It never gives away a
// secret or a token before the other side has proven the key that the text names.
//
// # The exchange
//
// It goes over the hub's own TLS port, for clients that ask for [Protocol] by ALPN, in
// lines of JSON. The node says which invitation it has and its secret; the hub uses the
// invitation up and says the token that will be; the node keeps that where a power cut
// does not reach it and says so; only then the hub makes the account, and confirms.
// Whoever is interrupted needs no more than another invitation: there is no account
// whose token nobody has.
package enrol
