// Package memo remembers for a node what must outlive it: that its camera is private.
// It owns the files for that, one for each camera, in a folder that other files of
// camqtt may be in. It never decides what privacy means, and never talks to a broker.
package memo
