package node

import (
	"context"
	"fmt"
	"slices"

	"camqtt/node/camera"
	"camqtt/node/camera/shrink"
)

// shrinker makes pictures smaller that are too large to be sent, aside, because that takes
// long. The newest wins.
type shrinker struct {
	in  slot[oversize]
	out slot[shrunk]
}

// oversize is a picture to be made smaller.
type oversize struct {
	frame camera.Frame
	size  int  // as it would be sent, in bytes
	most  int  // that may be sent
	run   *run // the camera it came from
}

// shrunk is what has become of it.
type shrunk struct {
	oversize
	jpeg []byte
	err  error
}

func newShrinker() *shrinker {
	return &shrinker{in: newSlot[oversize](), out: newSlot[shrunk]()}
}

// put hands over a picture. One that waits gives way to it.
func (s *shrinker) put(o oversize) {
	select {
	case old := <-s.in:
		old.frame.Report(camera.ErrBusy)
	default:
	}
	s.in <- o
}

// exifRoom is more than dressing a picture adds to it, in bytes.
const exifRoom = 2048

func (s *shrinker) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-s.in:
			jpg, err := shrink.To(o.frame.JPEG, o.most-exifRoom)
			s.out.put(shrunk{oversize: o, jpeg: jpg, err: err})
		}
	}
}

// warning tells people what is done to the pictures.
func (o oversize) warning(most int) string {
	return fmt.Sprintf("the camera's pictures have %d bytes, more than the %d that may be sent: they are scaled down and encoded again, "+
		"which costs time and quality. Set the camera itself to a smaller size or lower quality", o.size, most)
}

// shrinkable reports whether the camera can be asked neither for a smaller size nor for a
// lower quality.
func shrinkable(p camera.Profile) bool {
	return !slices.Contains(p.Caps, camera.CapSize) && !slices.Contains(p.Caps, camera.CapQuality)
}
