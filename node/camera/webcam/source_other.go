//go:build !linux

package webcam

import (
	"context"

	"camqtt/node/camera"
)

func openWebcam(string, camera.Options) (camera.Source, error) {
	return nil, camera.ConfigError("source v4l2: this is no Linux: use exec: with a program that writes pictures")
}

// Detect finds no webcams on other systems than Linux.
func Detect(context.Context) ([]camera.Found, error) { return nil, nil }
