package redact

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// command takes the secrets of a program's arguments: any argument may be one.
func (c *collector) command(argv []string) {
	if len(argv) == 0 {
		return
	}
	shell := false // also one that another program starts, as in sudo sh -c
	for i, arg := range argv {
		switch {
		case shell && strings.HasPrefix(argv[i-1], "-") && strings.HasSuffix(argv[i-1], "c"):
			c.script(arg)
		case i > 0 && !isShell(arg):
			c.argument(arg)
		}
		shell = shell || isShell(filepath.Base(arg))
	}
}

// headerField is a header with its name, as in curl -H.
var headerField = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?(.+)$")

// addressIn finds the addresses in an argument. They end at a blank or a quote
// only, because a password may hold anything else.
var addressIn = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"']+`)

// argument takes the secrets of one argument. An option's name and a file's path
// are none.
func (c *collector) argument(s string) {
	if name, value, ok := strings.Cut(s, "="); ok && !strings.ContainsAny(name, "/?&: ") {
		c.argument(value)
		c.text(value)
		return
	}
	if at := addressIn.FindStringIndex(s); at != nil {
		if at[0] == 0 {
			c.address(s) // a blank may be part of it
		}
		c.text(s)
		return
	}
	switch field := headerField.FindStringSubmatch(s); {
	case strings.HasPrefix(s, "-"):
		if len(s) > 2 && s[1] != '-' { // as in -ppassword
			c.option(s[2:])
		} else if _, value, ok := strings.Cut(s, ":"); ok {
			c.add(value, 3)
		}
	case field != nil:
		c.add(s, leastPart)
		c.add(base64.StdEncoding.EncodeToString([]byte(s)), leastPart) // user:password, RFC 7617
		c.add(field[1], 2)
		c.pieces(field[1], 3)
	case strings.ContainsAny(s, " \t\n"): // text or code
		c.add(s, leastPart)
		c.text(s)
		for _, m := range literal.FindAllStringSubmatch(s, -1) {
			c.add(m[1], leastPart)
		}
	case isNumber(s) && len(s) < leastPart, isFile(s):
	default:
		c.add(s, 3)
		c.pieces(s, leastPart)
	}
}

// option takes what may be the value of an option that is written without a blank.
func (c *collector) option(s string) {
	if len(s) < 3 {
		return
	}
	c.pieces(s, leastPart)
	for i, w := range c.words {
		if strings.HasSuffix(s, w.text) {
			c.words[i].alone = true // it may be the rest of a long option's name
		}
	}
	c.words = append(c.words, word{s, true})
}

// printed are the parts of a text that are secrets by their form: addresses,
// values behind a = and those of header fields.
var printed = []*regexp.Regexp{
	regexp.MustCompile(`[\w.-]+=("[^"]*"|'[^']*'|[^\s"'&;,)]+)`),
	regexp.MustCompile(`(?i)\b(?:(?:proxy-)?authorization|cookie|[a-z0-9]+(?:-[a-z0-9]+)+):\s*([^"'\\]+)`),
}

// literal is a word in quotes, as code has it. What has blanks is rather meant to be read.
var literal = regexp.MustCompile(`["']([^\s"']+)["']`)

// text takes the secrets of a text that is more than one word.
func (c *collector) text(s string) {
	for _, a := range addressIn.FindAllString(s, -1) {
		c.address(a)
	}
	for _, p := range printed {
		for _, m := range p.FindAllStringSubmatch(s, -1) {
			if v := strings.Trim(m[1], `"' `); !isNumber(v) || len(v) >= leastPart {
				c.add(v, 2)
				c.pieces(v, leastPart)
			}
		}
	}
}

// script takes the secrets of a command line or of a shell's script. What echo and
// printf say is a text and not an argument.
func (c *collector) script(s string) {
	for _, argv := range commands(s) {
		for len(argv) > 0 && slices.Contains([]string{"if", "then", "else", "elif", "do", "while", "until", "!", "{", "exec", "time", "env"}, argv[0]) {
			argv = argv[1:]
		}
		for len(argv) > 0 && strings.Contains(argv[0], "=") { // a variable
			c.argument(argv[0])
			argv = argv[1:]
		}
		switch {
		case len(argv) == 0:
		case argv[0] == "echo" || argv[0] == "printf":
			c.text(strings.Join(argv[1:], " "))
		default:
			c.command(argv)
		}
	}
}

// commands parts a script into the words of its commands, as a shell does where it
// matters here.
func commands(s string) (all [][]string) {
	var argv []string
	var w strings.Builder
	open := false // in a word
	end := func() {
		if open {
			argv = append(argv, w.String())
		}
		w.Reset()
		open = false
	}
	var quote byte
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch {
		case quote != 0 && ch == quote:
			quote = 0
		case ch == '\\' && quote != '\'' && i+1 < len(s):
			i++
			w.WriteByte(s[i])
			open = true
		case quote != 0:
			w.WriteByte(ch)
		case ch == '"' || ch == '\'':
			quote, open = ch, true
		case ch == ' ' || ch == '\t':
			end()
		case strings.IndexByte(";|&\n<>()`", ch) >= 0:
			end()
			all, argv = append(all, argv), nil
		default:
			w.WriteByte(ch)
			open = true
		}
	}
	end()
	return append(all, argv)
}

func isShell(program string) bool {
	return slices.Contains([]string{"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"}, program)
}

// isFile reports whether s is the path of a file or device of this machine.
func isFile(s string) bool {
	if strings.HasPrefix(s, "/dev/") {
		return true
	}
	if !strings.ContainsRune(s, '/') {
		return false
	}
	_, err := os.Stat(s)
	return err == nil
}
