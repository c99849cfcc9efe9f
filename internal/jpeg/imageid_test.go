package jpeg

import "testing"

func TestImageID(t *testing.T) {
	pic := encode(t, 16, 16, 1)
	if id, ok := ImageID(pic); ok {
		t.Errorf("a picture without EXIF has the id %q", id)
	}
	in := mustScan(t, pic)
	if id, ok := ImageID(Dress(pic, in, fullEXIF())); !ok || id != fullEXIF().ID {
		t.Errorf("ImageID = %q, %v; want %q", id, ok, fullEXIF().ID)
	}
	e := fullEXIF()
	e.ID = ""
	if id, ok := ImageID(Dress(pic, in, e)); ok {
		t.Errorf("a picture without an id has %q", id)
	}
}

func FuzzImageID(f *testing.F) {
	pic := encode(f, 16, 16, 1)
	f.Add(Dress(pic, mustScan(f, pic), fullEXIF())[:700])
	f.Add(pic)
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, ok := ImageID(b); ok && !isID(id) {
			t.Fatalf("ImageID = %q", id)
		}
	})
}
