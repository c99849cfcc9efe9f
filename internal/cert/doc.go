// Package cert is who a server is to its clients and they to it: certificates from
// files, from a certificate authority by ACME, or a key made here that clients pin.
// It owns the broker's key in the data folder and everything that decides whether
// the other side of a TLS connection is trusted. It never opens a port, never
// connects but to the ACME server, and never leaves a connection unverified.
package cert
