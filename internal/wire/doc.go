// Package wire is topics.md in Go: camera ids, topic names, commands, settings
// and the JSON that cameras publish. It owns the meaning of every byte that is
// not a picture. It does no I/O, keeps no state and imports only the standard
// library, so that every other package may import it.
package wire
