package mjpeg

import "sync"

// StatusReport says what the open source has received and heard, for when no picture
// comes. The zero value says nothing. It is safe for use by several goroutines.
type StatusReport struct {
	mu  sync.Mutex
	say func() string
}

// Set makes say what is reported from now on.
func (r *StatusReport) Set(say func() string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.say = say
}

// Report is a sentence without secrets, or "".
func (r *StatusReport) Report() string {
	r.mu.Lock()
	say := r.say
	r.mu.Unlock()
	if say == nil {
		return ""
	}
	return say()
}
