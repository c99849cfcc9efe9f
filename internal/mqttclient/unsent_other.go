//go:build !linux

package mqttclient

import "net"

// keepUnsentSmall does nothing where the kernel has no such setting.
func keepUnsentSmall(net.Conn) {}
