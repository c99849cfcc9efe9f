// Package node runs one camera: commands come in, pictures go out. A Node owns
// its camera, which is closed until a picture is asked for, and everything
// published below cam/<id>/. It never listens on a port, never stores a picture
// on disk, and does not depend on the make of the broker.
//
// One goroutine, the loop in Serve, decides everything. The loop dispatches messages,
// pictures and time to parts with one job each, such as leases or privacy; a part says when
// it has something to do next. Only the runner opens and closes the camera. Two more
// goroutines send: one the newest live picture, one everything that must arrive in order.
// Neither can block the loop, nor can the disk: a Store is written on other goroutines.
package node
