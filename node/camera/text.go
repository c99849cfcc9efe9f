package camera

import (
	"fmt"
	"strconv"
)

// ByteCount is a number of bytes for people.
func ByteCount(n int) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return strconv.Itoa(n>>20) + " MiB"
	}
	return strconv.Itoa(n) + " bytes"
}

// PictureCount is a count for people.
func PictureCount(n int) string {
	if n == 1 {
		return "1 picture"
	}
	return fmt.Sprintf("%d pictures", n)
}
