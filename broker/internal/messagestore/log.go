package messagestore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"

	"camqtt/internal/securefile"
)

const (
	logFile       = "retained"
	damagedSuffix = ".damaged"

	// slack is how many bytes of a log may be out of date, however few it would have.
	slack = 256 << 10
)

// messageLog is the file of ordinary messages.
type messageLog struct {
	name string
	f    *os.File // for appending; nil: not opened yet
	size int64    // of the file
	live int64    // of the file when it was last written anew
	torn bool     // its end, or more, is damaged: it has to be written anew
}

// load reads the log from its start. Damaged lines are left out; what they are is in
// damage. A line without an end is what a crash leaves, and no damage.
func (l *messageLog) load(longest int64, each func(Message) error) (damage, err error) {
	f, err := securefile.Open(l.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read retained messages: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("read retained messages: %s is no ordinary file", l.name)
	}
	r := bufio.NewReaderSize(f, 64<<10)
	for n := 1; ; n++ {
		text, whole, err := readLine(r, longest)
		switch {
		case errors.Is(err, io.EOF):
			return damage, nil
		case err == nil && !whole && unfinished(text):
			l.torn = true
			return damage, nil
		case errors.Is(err, ErrDamaged):
		case err != nil:
			return damage, fmt.Errorf("read retained messages: %w", err)
		}
		l.size += int64(len(text)) + 1
		if err == nil {
			err = take(text, each)
		}
		if err != nil {
			l.torn = true
			damage = errors.Join(damage, fmt.Errorf("line %d: %w", n, err))
		}
	}
}

// unfinished reports whether a line without an end is what a crash leaves: the beginning
// of one that was being written, or room for one that never was.
func unfinished(text []byte) bool {
	text = bytes.TrimRight(text, "\x00")
	for _, c := range text[:min(len(text), 8)] {
		if !strings.ContainsRune("0123456789abcdef", rune(c)) {
			return false
		}
	}
	return len(text) <= 8 || text[8] == ' '
}

// take gives one line's message to each.
func take(text []byte, each func(Message) error) error {
	m, err := parseLine(text, nil)
	if err == nil && m.Picture {
		err = fmt.Errorf("a picture: %w", ErrDamaged)
	}
	if err != nil {
		return err
	}
	return each(m)
}

// readLine reads a line without its end; whole says that it has one. Of a line that is
// longer than could have been written it gives no text.
func readLine(r *bufio.Reader, longest int64) (text []byte, whole bool, err error) {
	n := int64(0)
	for {
		part, err := r.ReadSlice('\n')
		n += int64(len(part))
		if n <= longest {
			text = append(text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && n > 0:
			return text, false, nil
		case err != nil:
			return nil, false, err
		case n > longest:
			return nil, true, fmt.Errorf("%d bytes, at most %d could have been written: %w", n, longest, ErrDamaged)
		}
		return bytes.TrimSuffix(text, []byte{'\n'}), true, nil
	}
}

// append adds lines for messages to the log, for good. What could not be added is not in
// the log.
func (l *messageLog) append(ms []Message) error {
	if l.torn {
		return fmt.Errorf("%s is damaged and has to be written anew first", l.name)
	}
	var text []byte
	for i := range ms {
		one, err := line(&ms[i])
		if err != nil {
			return err
		}
		text = append(text, one...)
	}
	if err := l.open(); err != nil {
		return err
	}
	_, err := l.f.Write(text)
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		l.torn = l.f.Truncate(l.size) != nil
		l.close()
		return err
	}
	l.size += int64(len(text))
	return nil
}

// open opens the log for appending.
func (l *messageLog) open() error {
	if l.f != nil {
		return nil
	}
	if _, err := os.Lstat(l.name); errors.Is(err, fs.ErrNotExist) {
		if err := securefile.Replace(l.name); err != nil {
			return err
		}
		l.size = 0
	}
	f, err := os.OpenFile(l.name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	l.f = f
	return nil
}

func (l *messageLog) close() {
	if l.f != nil {
		_ = l.f.Close() // everything was synced
		l.f = nil
	}
}

// wasteful reports whether the log has to be written anew, or should be.
func (l *messageLog) wasteful() bool { return l.torn || l.size > 2*l.live+slack }

// compact replaces the log by one with a line for each message.
func (l *messageLog) compact(all iter.Seq[Message]) error {
	size := int64(0)
	err := securefile.ReplaceFunc(l.name, func(f io.Writer) error {
		w := bufio.NewWriterSize(f, 64<<10)
		for m := range all {
			text, err := line(&m)
			if err != nil {
				return err
			}
			if _, err := w.Write(text); err != nil {
				return err
			}
			size += int64(len(text))
		}
		return w.Flush()
	})
	if err != nil {
		return err
	}
	l.close() // the one before
	l.size, l.live, l.torn = size, size, false
	return nil
}
