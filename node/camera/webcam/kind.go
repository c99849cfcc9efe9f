package webcam

import "camqtt/node/camera"

// webcamKind is the row of the table of kinds.
func Kind() camera.Kind {
	return camera.Kind{Scheme: "v4l2", Form: "v4l2:/dev/video0", Check: camera.CheckMarkers, Settle: camera.SettleTime, Open: openWebcam}
}
