//go:build !linux

package sendbuffer

func setLimit(uintptr, int) {}

func hasRoom(uintptr) bool { return true }
