//go:build !linux

package dashboard

import "net"

// keepUnsentSmall does nothing where the kernel has no such setting.
func keepUnsentSmall(net.Conn) {}

// awaitRoom does not wait: the write that follows does.
func awaitRoom(net.Conn) error { return nil }
