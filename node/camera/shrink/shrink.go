// Package shrink makes a JPEG smaller in bytes by encoding it again, at a smaller size where
// that is needed. It costs much time and memory: it is the last resort for a camera that can
// be asked neither for a smaller size nor for a lower quality.
package shrink

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"

	"golang.org/x/image/draw"

	markers "camqtt/internal/jpeg"
)

const (
	quality   = 80
	maxPixels = 32 << 20 // of a picture that is decoded
	// maxProgressive is the same for one of several scans, of which 15 bytes are kept for each
	// pixel until the last one: of others there are 3.
	maxProgressive = maxPixels / 5
	leastSide      = 64 // of a picture that is made, in pixels
	tries          = 5
)

// To returns the picture in at most most bytes. What stands beside the picture in the file,
// EXIF included, is left out.
func To(jpg []byte, most int) ([]byte, error) {
	info, err := markers.Scan(jpg)
	if err != nil {
		return nil, fmt.Errorf("make the picture smaller: %w", err)
	}
	limit := maxPixels
	if info.Progressive {
		limit = maxProgressive
	}
	if info.Width*info.Height > limit {
		return nil, fmt.Errorf("make the picture smaller: %dx%d are too many pixels", info.Width, info.Height)
	}
	img, err := jpeg.Decode(bytes.NewReader(jpg))
	if err != nil {
		return nil, fmt.Errorf("make the picture smaller: %w", err)
	}
	for range tries {
		out, err := encode(img)
		if err != nil {
			return nil, err
		}
		if len(out) <= most {
			return out, nil
		}
		// Bytes grow about as pixels do. A little less leads to an end.
		scale := 0.95 * math.Sqrt(float64(most)/float64(len(out)))
		b := img.Bounds()
		w, h := int(float64(b.Dx())*scale), int(float64(b.Dy())*scale)
		if min(w, h) < leastSide {
			break
		}
		smaller := image.NewRGBA(image.Rect(0, 0, w, h))
		draw.BiLinear.Scale(smaller, smaller.Bounds(), img, b, draw.Src, nil)
		img = smaller
	}
	return nil, errors.New("make the picture smaller: too few bytes are allowed")
}

func encode(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("make the picture smaller: %w", err)
	}
	return b.Bytes(), nil
}
