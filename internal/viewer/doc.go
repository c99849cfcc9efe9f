// Package viewer is one who watches: it knows every camera on the broker, asks
// for snapshots, holds leases for live pictures, and gives commands, all by the
// messages of topics.md. It owns the subscriptions of one link and shares them
// among all who ask through it. It never keeps more than the newest picture for
// anybody, so a slow reader costs nothing and delays nobody.
package viewer
