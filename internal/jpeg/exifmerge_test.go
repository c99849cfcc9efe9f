package jpeg_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	own "camqtt/internal/jpeg"
	"camqtt/internal/testkit"
)

// TestOwnEXIFIsCompleted takes pictures that have EXIF blocks of their own, in either
// byte order and with all that cameras put in, and reads with exiftool what has
// become of them.
func TestOwnEXIFIsCompleted(t *testing.T) {
	tool := testkit.Tool(t, "exiftool")
	run := func(args ...string) []byte {
		t.Helper()
		out, stderr, status := testkit.Run(t, tool, args...)
		if status != 0 {
			t.Fatalf("exiftool %v: %s", args, stderr)
		}
		return out
	}
	small := encodings(t)["4:2:0"]
	for order, flag := range map[string]string{"II": "Little-endian (Intel, II)", "MM": "Big-endian (Motorola, MM)"} {
		path := filepath.Join(t.TempDir(), order+".jpg")
		thumb := filepath.Join(t.TempDir(), "thumb.jpg")
		for _, p := range []string{path, thumb} {
			if err := os.WriteFile(p, small, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		run("-overwrite_original", "-ExifByteOrder="+flag, "-Make=Raspberry Pi", "-Model=imx708", "-DateTimeOriginal=2001:02:03 04:05:06", "-ModifyDate=2001:02:03 04:05:06",
			"-Orientation#=1", "-ISO=100", "-ExposureTime=1/50", "-GPSLatitude=52.5", "-GPSLatitudeRef=N", "-UserComment=a comment", "-ThumbnailImage<="+thumb, path)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		in, err := own.Scan(b)
		if err != nil || !in.HasEXIF {
			t.Fatalf("%+v, %v", in, err)
		}
		at := time.Date(2026, 11, 20, 4, 30, 0, 123e6, time.FixedZone("", 3600))
		for orientation, want := range map[int]float64{0: 1, 3: 3} {
			out := own.Dress(b, in, own.EXIF{Time: at, Make: "Acme", Model: "x", ID: "0190abcd0190abcd0190abcd0190abcd", Orientation: orientation})
			if err := os.WriteFile(path, out, 0o600); err != nil {
				t.Fatal(err)
			}
			var got []map[string]any
			said := run("-json", "-n", "-validate", "-warning", "-error", "-all", "-ThumbnailLength", path)
			if err := json.Unmarshal(said, &got); err != nil || len(got) != 1 {
				t.Fatalf("exiftool wrote %s: %v", said, err)
			}
			const when = "2026:11:20 03:30:00.123+00:00"
			for key, want := range map[string]any{
				"SubSecDateTimeOriginal": when, "SubSecCreateDate": when, "SubSecModifyDate": when, "OffsetTimeOriginal": "+00:00", "ImageUniqueID": "0190abcd0190abcd0190abcd0190abcd",
				"Make": "Raspberry Pi", "Model": "imx708", "Orientation": want, "ISO": 100.0, "ExposureTime": 0.02, "GPSLatitude": 52.5, "UserComment": "a comment",
				"ThumbnailLength": float64(len(small)), "ExifByteOrder": order, "Error": nil,
			} {
				if got[0][key] != want {
					t.Errorf("%s, orientation %d: %s is %v, want %v", order, orientation, key, got[0][key], want)
				}
			}
			// What the camera has left out is not made up.
			if w, _ := got[0]["Warning"].(string); w != "" && !strings.HasPrefix(w, "Missing required") {
				t.Errorf("%s: exiftool warns: %s", order, w)
			}
			if again, err := own.Scan(out); err != nil || again.Len != len(out) {
				t.Errorf("%s: %+v, %v", order, again, err)
			}
		}
	}
}

// TestDamagedEXIFIsReplaced gives blocks that say nothing: the picture gets a new one.
func TestDamagedEXIFIsReplaced(t *testing.T) {
	pic := encodings(t)["grey"]
	for name, tiff := range map[string]string{
		"empty": "", "no TIFF": "XXXXXXXXXXXX", "a directory far away": "MM\x00\x2a\x7f\xff\xff\xff", "a directory without end": "II\x2a\x00\x08\x00\x00\x00\xff\xff",
		"a directory in the header": "MM\x00\x2a\x00\x00\x00\x02\x00\x00",
	} {
		b := insert(pic, 2, segment(0xe1, 8+len(tiff), "Exif\x00\x00"+tiff)...)
		in, err := own.Scan(b)
		if err != nil {
			t.Fatal(err)
		}
		at := time.UnixMilli(1763613000123)
		out := own.Dress(b, in, own.EXIF{Time: at, Orientation: 8})
		if got, ok := own.CaptureTime(out); !ok || !got.Equal(at) {
			t.Errorf("%s: taken %v, want %v", name, got, at)
		}
	}
}
