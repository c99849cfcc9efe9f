//go:build !unix

package securefile

import "io/fs"

// forbidden is nothing: the mode does not say who may read.
func forbidden(fs.FileInfo) fs.FileMode { return 0 }
