package app

import "log/slog"

// Each part of a process has file descriptors that no other part can use up: half of those
// that the process may open are for MQTT and a quarter for HTTP. The rest is for files,
// cameras and programs.
const (
	mqttPart = 2
	httpPart = 4
	// httpConnections is how many connections of HTTP are open at most, whatever the process
	// may open.
	httpConnections = 1000
)

// connectionShares gives how many connections MQTT and HTTP may have when MQTT is to have
// want, and the process may open so many files; 0 files is no limit.
func connectionShares(want, files int) (mqtt, http int) {
	if files == 0 {
		return want, httpConnections
	}
	return max(min(want, files/mqttPart), 1), max(min(httpConnections, files/httpPart), 1)
}

// brokerConnections is the broker's share, and says so where it is less than configured.
func brokerConnections(want int, log *slog.Logger) int {
	files := openFiles()
	n, _ := connectionShares(want, files)
	if n < want {
		log.Warn("fewer connections than broker.limits.connections: half of the files that this process may open (ulimit -n) are for them",
			"configured", want, "connections", n, "files", files)
	}
	return n
}

// dashboardConnections is the share of HTTP.
func dashboardConnections() int {
	_, n := connectionShares(0, openFiles())
	return n
}
