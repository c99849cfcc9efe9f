package camera_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"camqtt/node/camera"
)

func TestCodeOf(t *testing.T) {
	busy := &camera.Error{Code: camera.CameraBusy, Text: "x", Err: io.EOF}
	for _, tt := range []struct {
		err  error
		want camera.Code
	}{{nil, ""}, {io.EOF, camera.NoCamera}, {busy, camera.CameraBusy}, {fmt.Errorf("porch: %w", busy), camera.CameraBusy}, {&camera.Error{Text: "x"}, camera.NoCamera}} {
		if got := camera.CodeOf(tt.err); got != tt.want {
			t.Errorf("CodeOf(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
	if !errors.Is(busy, io.EOF) {
		t.Error("an Error does not unwrap to its cause")
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]camera.Size{"640x480": {640, 480}, "1x65535": {1, 65535}} {
		got, err := camera.ParseSize(in)
		if err != nil || got != want || got.String() != in {
			t.Errorf("ParseSize(%q) = %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "x", "640", "640x", "x480", "0x480", "640x-1", "+640x480", "640x65536", "640X480", "640x480x1", " 640x480"} {
		if got, err := camera.ParseSize(in); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("size %q", in)) {
			t.Errorf("ParseSize(%q) = %v, %v, want an error that says what it got", in, got, err)
		}
	}
}
