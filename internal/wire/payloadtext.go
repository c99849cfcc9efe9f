package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"unicode/utf16"
)

// plainText returns the text that a sender means by a payload, without what other programs
// add to it: a byte order mark or UTF-16 from files and pipes of Windows, NULs of programs
// that send a whole buffer, blanks and line ends, and the quotes of a JSON string.
func plainText(payload []byte) []byte {
	payload = trim(fromUTF16(payload))
	if len(payload) < 2 || payload[0] != '"' {
		return payload
	}
	var s string
	if json.Unmarshal(payload, &s) != nil {
		return payload
	}
	return trim([]byte(s))
}

// jsonObject reads a JSON object. Home Assistant's templates write one as Python does, with
// single quotes; that is understood where there are no double ones.
func jsonObject(text []byte) (fields map[string]json.RawMessage, ok bool) {
	if json.Unmarshal(text, &fields) == nil {
		return fields, true
	}
	if bytes.ContainsAny(text, `"\\`) {
		return nil, false
	}
	python := strings.NewReplacer("'", `"`, "True", "true", "False", "false", "None", "null")
	return fields, json.Unmarshal([]byte(python.Replace(string(text))), &fields) == nil
}

// trim takes a byte order mark, and NULs and white space at either end, off.
func trim(b []byte) []byte {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	return bytes.Trim(b, "\x00 \t\r\n\v\f")
}

// fromUTF16 turns text that begins with a byte order mark of UTF-16 into UTF-8.
func fromUTF16(b []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return b
	}
	var units []uint16
	for b = b[2:]; len(b) >= 2; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	return []byte(string(utf16.Decode(units)))
}
