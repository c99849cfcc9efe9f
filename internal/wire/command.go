package wire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Verb is what a command asks a camera to do.
type Verb string

// The verbs of cam/<id>/cmd.
const (
	Snap  Verb = "snap"
	Still Verb = "still"
	Start Verb = "start"
	Stop  Verb = "stop"
	Hello Verb = "hello"
)

// Verbs returns every verb in the order of topics.md.
func Verbs() []Verb { return []Verb{Snap, Still, Start, Stop, Hello} }

// Limits on a command, so that a hostile one costs nothing.
const (
	MaxCommandBytes = 4096             // a longer payload is refused unread
	MaxCommandAge   = 30 * time.Second // an older ts makes a command expired
	maxToken        = 64               // of id and viewer, in characters
	maxEcho         = 32               // of what a refusal repeats
)

// Manual is the name of the lease of a start without a viewer.
const Manual = "manual"

// Command is one message on cam/<id>/cmd. Fields that were not given are zero.
type Command struct {
	Verb    Verb
	ID      string        // comes back in the result; 1 to 64 printable characters
	Viewer  string        // whose lease; "" is the lease [Manual]
	MaxAge  time.Duration // snap, still: how old a picture may be; 0 is a fresh one
	For     time.Duration // start: how long without renewal; 0 is the camera's default
	FPS     float64       // start: pictures per second at most
	Size    Size          // snap, still, start
	Quality int           // snap, still, start: 1 to 100
	Sent    time.Time     // ts of a JSON command, also of one that is refused; zero without
}

// Refusal is a command or setting that is not carried out. It becomes the
// result that the asker gets.
type Refusal struct {
	Cmd  string // what was asked, cut to a sane length
	ID   string // the asker's id, if it could be read
	Code Code
	Text string // for a person: what was got, what would be right
}

// Error says the refusal in one line.
func (r *Refusal) Error() string { return r.Cmd + ": " + string(r.Code) + ": " + r.Text }

// keysOf lists what may follow each verb, in the order topics.md names it.
func keysOf(v Verb) []string {
	switch v {
	case Snap, Still:
		return []string{"id", "max_age", "size", "quality"}
	case Start:
		return []string{"id", "fps", "size", "quality", "for", "viewer"}
	case Stop:
		return []string{"id", "viewer"}
	case Hello:
		return []string{"id"}
	}
	return nil
}

// ParseCommand reads a command payload: a word with key=value pairs, or a JSON
// object with the key cmd. now is compared with the ts of a JSON command. The
// error is always a [*Refusal].
func ParseCommand(payload []byte, now time.Time) (Command, error) {
	if len(payload) > MaxCommandBytes {
		return Command{}, &Refusal{Code: BadArgument, Text: fmt.Sprintf(
			"the command has %d bytes: want at most %d", len(payload), MaxCommandBytes)}
	}
	payload = plainText(payload)
	if len(payload) > 0 && payload[0] == '{' {
		return parseJSON(payload, now)
	}
	return parseWords(string(payload))
}

func parseWords(s string) (Command, error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return Command{}, unknown("")
	}
	c := Command{Verb: Verb(strings.ToLower(words[0]))}
	keys := keysOf(c.Verb)
	if keys == nil {
		return c, unknown(words[0])
	}
	refuse := func(text string) (Command, error) {
		return c, &Refusal{Cmd: string(c.Verb), ID: c.ID, Code: BadArgument, Text: text}
	}
	for _, w := range words[1:] { // id first, so that a refusal can carry it
		if v, ok := strings.CutPrefix(w, "id="); ok && validToken(v) {
			c.ID = v
		}
	}
	for _, w := range words[1:] {
		key, value, ok := strings.Cut(w, "=")
		if !ok || !slices.Contains(keys, key) {
			return refuse(fmt.Sprintf("%q is not an argument of %s: want %s", echo(w), c.Verb, pairs(keys)))
		}
		if err := c.set(key, value); err != nil {
			return refuse(err.Error())
		}
	}
	return c, nil
}

func parseJSON(payload []byte, now time.Time) (Command, error) {
	fields, ok := jsonObject(payload)
	if !ok {
		return Command{}, &Refusal{Code: BadArgument, Text: `the command is not valid JSON: want such as {"cmd":"snap","id":"a1"}`}
	}
	text := make(map[string]string, len(fields))
	for k, raw := range fields {
		if v, ok := scalar(raw); ok {
			text[k] = v
		}
	}
	c := Command{Verb: Verb(strings.ToLower(text["cmd"]))}
	if validToken(text["id"]) {
		c.ID = text["id"]
	}
	keys := keysOf(c.Verb)
	if keys == nil {
		r := unknown(text["cmd"])
		r.ID = c.ID
		return c, r
	}
	refuse := func(code Code, text string) (Command, error) {
		return c, &Refusal{Cmd: string(c.Verb), ID: c.ID, Code: code, Text: text}
	}
	for _, k := range keys {
		raw, given := fields[k]
		if !given || string(raw) == "null" {
			continue
		}
		v, ok := text[k]
		if !ok {
			return refuse(BadArgument, k+": want text or a number")
		}
		if err := c.set(k, v); err != nil {
			return refuse(BadArgument, err.Error())
		}
	}
	if raw, given := fields["ts"]; given && string(raw) != "null" {
		var ts Time
		if err := ts.UnmarshalJSON(raw); err != nil {
			return refuse(BadArgument, "ts: "+err.Error())
		}
		c.Sent = ts.UTC()
		if age := now.Sub(ts.Time); age > MaxCommandAge {
			return refuse(Expired, fmt.Sprintf("the command is %s old: want at most %s (are both clocks right?)",
				age.Round(time.Second), MaxCommandAge))
		}
	}
	return c, nil
}

// set takes one argument; its errors are texts for the asker.
func (c *Command) set(key, value string) (err error) {
	switch key {
	case "id":
		if !validToken(value) {
			return fmt.Errorf("id %.40q: want 1 to %d printable characters without blanks", echo(value), maxToken)
		}
		c.ID = value
	case "viewer":
		if !validToken(value) || value == Manual {
			return fmt.Errorf("viewer %.40q: want 1 to %d printable characters without blanks, and not %q", echo(value), maxToken, Manual)
		}
		c.Viewer = value
	case "max_age":
		if c.MaxAge, err = ParseDuration(value); err != nil {
			return fmt.Errorf("max_age: %w", err)
		}
	case "for":
		if c.For, err = ParseDuration(value); err != nil || c.For == 0 {
			return fmt.Errorf("for: duration %.40q: want such as 30s, more than 0s and at most 24h", echo(value))
		}
	case "fps":
		c.FPS, err = ParseFPS(value)
	case "size":
		c.Size, err = ParseSize(value)
	case "quality":
		c.Quality, err = ParseQuality(value)
	}
	return err
}

// scalar returns the text of a JSON string, number or boolean.
func scalar(raw json.RawMessage) (string, bool) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	var b bool
	if json.Unmarshal(raw, &b) == nil {
		return strconv.FormatBool(b), true
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String(), n != ""
	}
	return "", false
}

func unknown(word string) *Refusal {
	if word == "" {
		return &Refusal{Code: UnknownCommand, Text: "no command word: want " + verbs() + `, or JSON such as {"cmd":"snap"}`}
	}
	return &Refusal{Cmd: echo(word), Code: UnknownCommand, Text: fmt.Sprintf("%q is not a command: want %s", echo(word), verbs())}
}

// verbs lists the verbs for a person: "snap, still, start, stop or hello".
func verbs() string {
	var all []string
	for _, v := range Verbs() {
		all = append(all, string(v))
	}
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " or " + all[last]
}

// validToken reports whether s can be an id or a viewer: printable, no blanks,
// at most 64 characters.
func validToken(s string) bool {
	if s == "" || len(s) > 4*maxToken || !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxToken {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) })
}

// echo cuts what a stranger wrote to a length and an alphabet that are safe to
// repeat in logs and results.
func echo(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) > maxEcho {
		s = string([]rune(s)[:maxEcho]) + "..."
	}
	return s
}

func pairs(keys []string) string {
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(k + "=")
	}
	return b.String()
}

// Words writes the command in its word form, which every camera understands.
func (c Command) Words() string {
	var b strings.Builder
	b.WriteString(string(c.Verb))
	add := func(key, value string) { b.WriteString(" " + key + "=" + value) }
	if c.ID != "" {
		add("id", c.ID)
	}
	if c.Viewer != "" {
		add("viewer", c.Viewer)
	}
	if c.MaxAge > 0 {
		add("max_age", c.MaxAge.String())
	}
	if c.For > 0 {
		add("for", c.For.String())
	}
	if c.FPS > 0 {
		add("fps", strconv.FormatFloat(c.FPS, 'g', -1, 64))
	}
	if c.Size != (Size{}) {
		add("size", c.Size.String())
	}
	if c.Quality > 0 {
		add("quality", strconv.Itoa(c.Quality))
	}
	return b.String()
}
