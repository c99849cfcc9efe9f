//go:build !unix

package journal

import "os"

// identity is unknown where there is no journal.
func identity(*os.File) (dev, ino uint64, ok bool) { return 0, 0, false }
