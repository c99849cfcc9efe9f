// Package memlimit finds how much memory this process may use, and keeps Go's garbage
// collector within it. It asks the control groups of Linux, versions 1 and 2, and the
// machine.
package memlimit

import (
	"log/slog"

	auto "github.com/KimMachineGun/automemlimit/memlimit"
)

// ratio is the part of the memory that Go may use before it collects garbage more often.
const ratio = 0.9

// Available gives the bytes of memory that this process may use: those of its control
// group, or of the machine where that has fewer. 0 is not known.
func Available() int64 {
	n, err := available()
	if err != nil || n > 1<<62 {
		return 0
	}
	return int64(n)
}

func available() (uint64, error) {
	machine, err := auto.FromSystem()
	group, none := auto.FromCgroup()
	switch {
	case none != nil:
		return machine, err
	case err != nil:
		return group, nil
	}
	return min(group, machine), nil
}

// Limit sets Go's memory limit, unless the environment has GOMEMLIMIT. Where the memory is
// not known there is none.
func Limit(log *slog.Logger) {
	limit, err := auto.Set(auto.WithProvider(available), auto.WithRatio(ratio))
	if err != nil {
		log.Warn("memory limit not set", "err", err)
		return
	}
	log.Debug("memory limit set", "bytes", limit)
}
