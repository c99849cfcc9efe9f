// Package board knows the firmwares that people put on ESP32 cameras: where each
// has its pictures, how its status reads, what its numbers mean. It owns the
// table of firmwares, the reading of /status, the search for frame size numbers
// and the estimate of a board's clock. It never opens a connection; package
// camera does the asking.
package board
