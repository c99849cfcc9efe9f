package brokeracl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"camqtt/internal/access"
	"camqtt/internal/wire"
)

// ErrNobody is what [Write] returns where there is no account to write rights for.
var ErrNobody = errors.New("no accounts")

// Options says what to write.
type Options struct {
	Engine string       // one of [Names]
	Space  access.Space // where the topics are; the zero value has the defaults of topics.md
	// Accounts are whose rights are written; several of one name add up. At least one.
	Accounts []access.Account
	// Announce gives the topics of discovery that whoever publishes a camera may
	// publish too, retained. nil is none, as in the embedded broker: discovery can
	// define any entity.
	Announce func(wire.ID) []string
}

func (o Options) discovery() string {
	if o.Space.Discovery == "" {
		return "homeassistant"
	}
	return o.Space.Discovery
}

// form is how one engine has it.
type form struct {
	name    string
	title   string
	setup   func([]*holder) []string // lines that say what to do with the file
	differs []string                 // from the embedded broker
	write   func(head []string, all []*holder) (string, error)
}

// anyEngine is what no engine can do as the embedded broker does it.
const anyEngine = "The role homeassistant may write discovery of its cameras and, where it is for all cameras, of anything; camqtt's own broker lets it only delete its own devices."

// differences are those of this engine and of any.
func (f form) differences() []string { return append(slices.Clone(f.differs), anyEngine) }

func forms() []form {
	return []form{mosquitto(), nats(), emqx(), rabbitmq()}
}

// Names returns the engines that there is a form for.
func Names() []string {
	var names []string
	for _, f := range forms() {
		names = append(names, f.name)
	}
	return names
}

// Differences returns what an engine, one of [Names], cannot do as the embedded broker
// does it, in sentences; nil for others.
func Differences(engine string) []string {
	for _, f := range forms() {
		if f.name == engine {
			return f.differences()
		}
	}
	return nil
}

// Write returns the rights of all accounts in the form of an engine, after a comment
// that says what to do with them. Whatever is not in it is denied. It fails for an
// engine that it has no form for, for no accounts, and for names and topics that
// [access.CheckAccount] or [wire.ParseBase] does not take: those alone can be in every
// engine's file without meaning something there.
func Write(o Options) ([]byte, error) {
	for _, f := range forms() {
		if f.name != o.Engine {
			continue
		}
		all, err := o.holders()
		if err != nil {
			return nil, fmt.Errorf("write rights for %s: %w", f.title, err)
		}
		text, err := f.write(f.head(o, all), all)
		if err != nil {
			return nil, fmt.Errorf("write rights for %s: %w", f.title, err)
		}
		return []byte(text), nil
	}
	return nil, fmt.Errorf("engine %.40q: want %s", o.Engine, strings.Join(Names(), ", "))
}

// head is the comment that each file begins with, without signs of a comment.
func (f form) head(o Options, all []*holder) []string {
	lines := []string{
		"Rights for " + f.title + ", as topics.md has them. Made by: camqtt acl --engine " + f.name,
		"Make it anew rather than change it. What is not named here is denied.",
		"",
	}
	lines = append(lines, f.setup(all)...)
	lines = append(lines, "", "Accounts:")
	for _, h := range all {
		lines = append(lines, "  "+h.name+": "+strings.Join(h.is, "; "))
	}
	lines = append(lines, "", "Different from camqtt's own broker:")
	for _, d := range f.differences() {
		lines = append(lines, wrapped(d)...)
	}
	if o.Announce != nil {
		return append(lines, wrapped("Cameras may publish their own discovery below "+o.discovery()+", with which they can define any entity.")...)
	}
	return append(lines, wrapped("Cameras may not announce themselves: set homeassistant.discovery to off where they run, or write this with --announce.")...)
}

// wrapped makes an item of a list out of a sentence, in lines of a width that editors show.
func wrapped(sentence string) (lines []string) {
	const width = 110
	line := "-"
	for word := range strings.FieldsSeq(sentence) {
		if len(line)+1+len(word) > width {
			lines, line = append(lines, line), " "
		}
		line += " " + word
	}
	return append(lines, line)
}

// comment puts a sign before every line.
func comment(sign string, lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimRight(sign+" "+l, " ") + "\n")
	}
	return b.String()
}
