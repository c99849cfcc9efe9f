// Package node runs one camera: commands come in, pictures go out. A Node owns
// its camera, which is closed until somebody asks for a picture, and everything
// published below cam/<id>/. It never listens on a port, never stores a picture
// on disk, and knows nothing of the broker's make.
//
// One goroutine, the loop in Serve, decides everything: it reads messages,
// pictures and timers, and is the only one that opens or closes the camera. Two
// more send: one the newest live picture, one everything that must arrive in
// order. Neither can make the loop wait, nor can the disk: what Options.Keep is to
// remember is written on a goroutine that lasts as long as that takes.
package node
