// Package usage marks errors for a person at a command line: mistakes of usage or
// configuration, which a restart does not cure, and advice that helps.
package usage

import "errors"

// Failure is an error for a person.
type Failure struct {
	err     error
	Wrong   bool   // usage or configuration is wrong: restarting does not help
	Hint    string // what to try, mostly a command; "" is none
	Printed bool   // the message is printed already
}

// Error is the message without the advice.
func (f *Failure) Error() string { return f.err.Error() }

// Unwrap returns the marked error.
func (f *Failure) Unwrap() error { return f.err }

// Error marks err as a mistake of usage or configuration.
func Error(err error, hint string) error { return &Failure{err: err, Wrong: true, Hint: hint} }

// Printed marks err as a mistake whose message is printed already.
func Printed(err error) error { return &Failure{err: err, Wrong: true, Printed: true} }

// Hint adds advice to an error, which stays a mistake if it is one.
func Hint(err error, hint string) error {
	inner, marked := errors.AsType[*Failure](err)
	return &Failure{err: err, Wrong: marked && inner.Wrong, Hint: hint}
}
