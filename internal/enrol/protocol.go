package enrol

import (
	"errors"
)

// Protocol is what a node asks for by ALPN (RFC 7301) to join: HTTP/1.1 (RFC 9112) with
// the resource [path].
const Protocol = "camqtt-join/2"

// path is the resource of the exchange. GET describes the hub, POST joins.
const path = "/join"

// maxBody is the longest body of a request or an answer, in bytes.
const maxBody = 4096

// request is the body of a POST.
type request struct {
	Invitation string `json:"invitation"`
	Secret     []byte `json:"secret"`
	Token      string `json:"token"` // that the account is to have
}

// answer is the body of every answer.
type answer struct {
	Error  string `json:"error,omitempty"`  // one of the words of reasons
	Scheme string `json:"scheme,omitempty"` // mqtts or wss
	Base   string `json:"base,omitempty"`
	Prefix string `json:"discovery_prefix,omitempty"`
}

// errHub is a fault of the hub, which its log explains.
var errHub = errors.New("the hub could not do it; its log says why")

// errToken is a token that is too easy to guess.
var errToken = errors.New("the token is not one of camqtt")

// reasons are the words that stand for errors in an answer.
func reasons() map[string]error {
	return map[string]error{
		"unknown": ErrUnknown, "wrong": ErrWrong, "spent": ErrSpent, "expired": ErrExpired, "used": ErrUsed,
		"replaced": ErrReplaced, "exists": ErrExists, "in use": ErrInUse, "slow": ErrSlow, "token": errToken,
	}
}

// word is the word of an error.
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
