package session

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"camqtt/internal/securefile"
)

// maxEnded bounds the sessions that are remembered as ended. Those that end by
// themselves first are forgotten first.
const maxEnded = 10_000

// endedSessions remembers sessions that were ended before their time, through restarts:
// their signature stays right. It is not safe for use by several goroutines.
type endedSessions struct {
	file   string             // "": nothing is written
	before time.Time          // sessions that began earlier have ended as well
	all    map[mark]time.Time // when their signature runs out
}

// endedFile is the file's JSON.
type endedFile struct {
	Before int64            `json:"before,omitempty"` // Unix seconds
	Ended  map[string]int64 `json:"ended"`            // SHA-256 of an id, Unix seconds
}

// openEndedSessions reads the file. Where it cannot be understood, all sessions so far
// count as ended, and the error says so.
func openEndedSessions(file string, now time.Time) (*endedSessions, error) {
	e := &endedSessions{file: file, all: map[mark]time.Time{}}
	if file == "" {
		return e, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err == nil {
		err = e.parse(text)
	}
	if err != nil {
		e.before, e.all = now, map[mark]time.Time{}
		return e, fmt.Errorf("the list of ended sessions %s cannot be read (%w): everybody has to log in again", file, err)
	}
	e.expire(now)
	return e, nil
}

func (e *endedSessions) parse(text []byte) error {
	var f endedFile
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	if f.Before > 0 {
		e.before = time.Unix(f.Before, 0)
	}
	for id, until := range f.Ended {
		var m mark
		b, err := hex.DecodeString(id)
		if err != nil || len(b) != len(m) {
			return fmt.Errorf("%.20q is no session", id)
		}
		copy(m[:], b)
		e.all[m] = time.Unix(until, 0)
	}
	return nil
}

// expire forgets what has run out.
func (e *endedSessions) expire(now time.Time) {
	for m, until := range e.all {
		if !now.Before(until) {
			delete(e.all, m)
		}
	}
}

func (e *endedSessions) has(t token) bool {
	_, ended := e.all[t.mark()]
	return ended || time.Unix(t.Born, 0).Before(e.before)
}

// add remembers a session, and writes it down.
func (e *endedSessions) add(m mark, until, now time.Time) error {
	e.expire(now)
	if len(e.all) >= maxEnded {
		first := m
		for o, t := range e.all {
			if f, ok := e.all[first]; !ok || t.Before(f) {
				first = o
			}
		}
		delete(e.all, first)
	}
	e.all[m] = until
	if e.file == "" {
		return nil
	}
	f := endedFile{Ended: map[string]int64{}}
	if !e.before.IsZero() {
		f.Before = e.before.Unix()
	}
	for m, until := range e.all {
		f.Ended[hex.EncodeToString(m[:])] = until.Unix()
	}
	text, err := json.Marshal(f)
	if err == nil {
		err = securefile.Replace(e.file, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write down that a session has ended, which a restart would bring back: %w", err)
	}
	return nil
}
