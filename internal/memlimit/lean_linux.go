package memlimit

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// dropProgram drops this process's view of the parts of its program file that cannot be
// written (madvise(2), MADV_DONTNEED: clean pages of a file are read anew).
func dropProgram() error {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	var errs []error
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		from, to, ok := programPart(lines.Text(), path)
		if !ok {
			continue
		}
		if _, _, e := syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED); e != 0 {
			errs = append(errs, e)
		}
	}
	return errors.Join(errs...)
}

// programPart reads a line of proc(5)'s maps, and whether it is a part of the program that
// cannot be written.
func programPart(line, path string) (from, to uintptr, ok bool) {
	var mode string
	if n, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n != 3 || err != nil {
		return 0, 0, false
	}
	return from, to, to > from && strings.HasPrefix(mode, "r") && mode[1:2] == "-" && strings.HasSuffix(line, " "+path)
}
