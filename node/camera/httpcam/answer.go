package httpcam

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"camqtt/node/camera/mjpeg"
)

// content is what an answer brings.
type content uint8

const (
	noPicture content = iota
	onePicture
	pictureStream
)

const (
	sniffBytes     = 512 // of a body that are looked at; what http.DetectContentType takes
	refusalTimeout = 2 * time.Second
)

// answer is that to one request.
type answer struct {
	*http.Response
	cancel func()          // ends the request
	asked  time.Time       // when it was sent
	came   time.Time       // when its head was in
	got    *mjpeg.Received // what has come of the body
	body   *bufio.Reader
	is     content // once refusal has found nothing wrong
}

// open makes the body ready to be read.
func (a *answer) open() {
	a.got = &mjpeg.Received{}
	a.body = bufio.NewReaderSize(unpack(a.got.Reader(a.Body)), sniffBytes)
}

func (a *answer) close() {
	a.cancel()
	a.Body.Close()
}

// content goes by the bytes, because cameras label them wrongly; the label decides
// only whether a body that does not begin with a picture can be a stream.
func (a *answer) content(wait time.Duration) content {
	if isMotion(a.Response) {
		return pictureStream
	}
	timer := time.AfterFunc(wait, a.cancel)
	defer timer.Stop()
	for n := 1; ; {
		_, err := a.body.Peek(n)
		first, _ := a.body.Peek(a.body.Buffered()) // cannot fail
		if c, sure := sniff(first, isPicture(mediaType(a.Response))); sure || err != nil || len(first) >= sniffBytes {
			return c
		}
		n = len(first) + 1
	}
}

// sniff tells by the first bytes of a body what it is. Not sure: more could tell
// otherwise.
func sniff(first []byte, labelled bool) (c content, sure bool) {
	text := bytes.TrimLeft(first, "\ufeff \t\r\n")
	for _, word := range []string{"--", "content-type:", "content-length:"} {
		n := min(len(word), len(text))
		if n == 0 {
			return noPicture, false
		}
		if !strings.EqualFold(string(text[:n]), word[:n]) {
			continue
		}
		if n == len(word) {
			return pictureStream, true
		}
		return noPicture, false
	}
	switch {
	case bytes.Contains(first, []byte(startOfImage)):
		return onePicture, true
	case len(text) > 0 && strings.IndexByte("<{[", text[0]) >= 0:
		return noPicture, true
	case len(text) > 0 && labelled: // perhaps behind what a script has written first
		return onePicture, len(text) > len(startOfImage)
	}
	return noPicture, false
}

// said is what kind of body there is and what it says in text: the first line, what
// is in JSON, and of XML what is between the tags; "" where it is a web page or no
// text.
func (a *answer) said(line func(string) string) (kind, text string) {
	timer := time.AfterFunc(refusalTimeout, a.cancel)
	defer timer.Stop()
	b, _ := io.ReadAll(io.LimitReader(a.body, refusalBody)) // what there is will do
	kind = a.kind(b)
	switch found := http.DetectContentType(b); {
	case !strings.HasPrefix(found, "text/"), strings.Contains(found+kind, "html"):
		return kind, ""
	case bytes.HasPrefix(bytes.TrimSpace(b), []byte("<")):
		return kind, line(string(xmlTag.ReplaceAll(b, []byte(" "))))
	}
	var compact bytes.Buffer
	if json.Compact(&compact, b) == nil {
		return kind, line(compact.String())
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return kind, line(first)
}

var xmlTag = regexp.MustCompile(`<[^>]*>`)

// kind is what the body is by its first bytes, or by its label where these do not
// tell.
func (a *answer) kind(first []byte) string {
	kind, _, _ := strings.Cut(http.DetectContentType(first), ";")
	if label := mediaType(a.Response); label != "" && (kind == "text/plain" || kind == "application/octet-stream") {
		return label
	}
	return kind
}
