// Package webcam is the kind of USB cameras, read by the kernel's interface.
package webcam

import (
	"time"

	"camqtt/node/camera"
)

// Kind is the row of the table of kinds.
func Kind() camera.Kind {
	return camera.Kind{
		Scheme: "v4l2", Form: "v4l2:/dev/video0",
		Summary: "a USB camera",
		Bare:    true, Options: []string{"settle", "format"}, Separator: "?", Timeout: 15 * time.Second,
		Check: camera.CheckMarkers, Settle: camera.SettleTime, Open: openWebcam,
	}
}
