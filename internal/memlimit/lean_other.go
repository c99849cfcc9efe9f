//go:build !linux

package memlimit

import "errors"

func dropProgram() error { return errors.ErrUnsupported }
