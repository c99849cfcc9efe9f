// Package viewer watches cameras: it knows every camera on the broker, asks for
// snapshots, holds leases for live pictures, and gives commands, all by the messages of
// topics.md. It owns the subscriptions of one link and shares them among all its callers.
// It keeps only the newest picture for each of them: a slow reader does not delay others.
package viewer
