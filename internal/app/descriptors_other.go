//go:build !unix

package app

// openFiles is how many files this process may open; 0 is not known or no limit.
func openFiles() int { return 0 }
