package kinds

import (
	"context"
	"errors"

	"camqtt/node/camera"
	"camqtt/node/camera/rpicam"
	"camqtt/node/camera/webcam"
)

// Detect lists the cameras of this machine: those that a "v4l2:" source can use,
// then those on a Raspberry Pi's connector for "rpicam:". It opens each for a
// moment, also one that another program streams from, which that one does not
// notice. What could not be looked at, because it may not be opened, is an error
// beside those that were found.
func Detect(ctx context.Context) ([]camera.Found, error) {
	found, err := webcam.Detect(ctx)
	csi, other := rpicam.Detect(ctx)
	return append(found, csi...), errors.Join(err, other)
}
