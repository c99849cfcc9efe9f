package enrol

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"camqtt/internal/wire"
)

// Protocol is what a node asks for by ALPN (RFC 7301) to come in.
const Protocol = "camqtt-join/1"

// maxLine is the longest line of the exchange, in bytes.
const maxLine = 4096

// request is what a node says first.
type request struct {
	Invitation string `json:"invitation"`
	Secret     []byte `json:"secret"`
}

// grant is what the hub answers.
type grant struct {
	Error  string  `json:"error,omitempty"` // one of the words of reasons
	Camera wire.ID `json:"camera,omitempty"`
	Token  string  `json:"token,omitempty"`
	Scheme string  `json:"scheme,omitempty"` // mqtts or wss
	Base   string  `json:"base,omitempty"`
	Prefix string  `json:"discovery_prefix,omitempty"`
}

// stored is what a node says when it has kept the grant.
type stored struct {
	Stored bool `json:"stored"`
}

// verdict ends the exchange.
type verdict struct {
	Error  string `json:"error,omitempty"`
	Joined bool   `json:"joined,omitempty"`
}

// errHub is a fault of the hub, which its log explains.
var errHub = errors.New("the hub could not do it; its log says why")

// reasons are the words that errors travel as.
func reasons() map[string]error {
	return map[string]error{
		"unknown": ErrUnknown, "wrong": ErrWrong, "spent": ErrSpent, "expired": ErrExpired, "used": ErrUsed,
		"replaced": ErrReplaced, "exists": ErrExists, "in use": ErrInUse, "slow": ErrSlow,
	}
}

// word is how an error travels.
func word(err error) string {
	for w, e := range reasons() {
		if errors.Is(err, e) {
			return w
		}
	}
	return "fault"
}

// reason is the error of a word.
func reason(w string) error {
	if err := reasons()[w]; err != nil {
		return err
	}
	return errHub
}

// say writes one line.
func say(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// hear reads one line. Its errors show nothing of it. The reader's buffer bounds it.
func hear(r *bufio.Reader, v any) error {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return fmt.Errorf("a line of more than %d bytes", maxLine)
	}
	if err != nil {
		return err
	}
	if json.Unmarshal(line, v) != nil {
		return errors.New("a line that is not what it should be")
	}
	return nil
}
