// Package strictjson reads JSON with accounts and rights. encoding/json takes the last
// of two keys of one name, keys in any case, and bytes that are not UTF-8; here that is an
// error, so that two readers of one text never read different things.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Unmarshal reads one JSON value. It refuses unknown keys, keys that are there twice
// (upper and lower case are the same), bytes behind the value, and bytes that are not
// UTF-8.
func Unmarshal(text []byte, into any) error {
	if !utf8.Valid(text) {
		return errors.New("it is not UTF-8")
	}
	if err := unique(text); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// level is an object or a list that is being read.
type level struct {
	keys  map[string]bool // of an object; nil: a list
	value bool            // the next token of the object is a value
}

// unique reads a text token by token.
func unique(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var open []level
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) && len(open) > 0 {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if open, err = step(open, token); err != nil {
			return err
		}
		if len(open) == 0 {
			return end(dec)
		}
	}
}

// end reports what stands behind the value.
func end(dec *json.Decoder) error {
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("there is more behind its end, at byte %d", dec.InputOffset())
	}
	return nil
}

// step takes one token.
func step(open []level, token json.Token) ([]level, error) {
	if len(open) > 0 {
		top := &open[len(open)-1]
		if key, ok := token.(string); ok && top.keys != nil && !top.value {
			fold := strings.ToLower(strings.ToUpper(key)) // as encoding/json compares keys
			if top.keys[fold] {
				return open, fmt.Errorf("the key %.40q is there twice", key)
			}
			top.keys[fold], top.value = true, true
			return open, nil
		}
		top.value = false
	}
	switch token {
	case json.Delim('{'):
		return append(open, level{keys: map[string]bool{}}), nil
	case json.Delim('['):
		return append(open, level{}), nil
	case json.Delim('}'), json.Delim(']'):
		return open[:len(open)-1], nil
	}
	return open, nil
}
