package jpeg

// ImageID reads a picture's own identifier from its EXIF block: ImageUniqueID (EXIF 2.32
// tag 0xA420), 32 hexadecimal digits. It is false when there is none. Only the headers
// are looked at.
func ImageID(b []byte) (string, bool) {
	t, dir, ok := exifDirectory(b)
	if !ok {
		return "", false
	}
	id, ok := t.text(dir, 0xa420)
	return id, ok && isID(id)
}
