package memlimit

import (
	"log/slog"
	"os"
	"runtime/debug"
)

// leanPercent is how much garbage a lean process may have, in percent of what it uses. It
// uses so little that collecting often costs next to nothing.
const leanPercent = 40

// Lean keeps the heap of a process with few and small things small, unless the environment
// has GOGC.
func Lean() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(leanPercent)
	}
}

// GiveBack returns memory that only the start has needed: free heap, and the pages of the
// program itself, which the system reads from its file again when they are needed.
func GiveBack(log *slog.Logger) {
	debug.FreeOSMemory()
	if err := dropProgram(); err != nil {
		log.Debug("pages of the program not given back", "err", err)
	}
}
