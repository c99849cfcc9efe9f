//go:build !unix

package broker

import "syscall"

// unread cannot be told here.
func unread(syscall.Conn) bool { return false }
