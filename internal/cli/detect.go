package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/redact"
	"camqtt/internal/usage"
	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// probeTime is how long a host has to answer.
const probeTime = 15 * time.Second

// sighting is a camera as detect prints it.
type sighting struct {
	ID      wire.ID  `json:"id"` // made up from its name, valid and unlike the others
	Source  string   `json:"source"`
	Name    string   `json:"name"`
	Host    string   `json:"host,omitempty"` // "" is this machine
	Device  string   `json:"device,omitempty"`
	Driver  string   `json:"driver,omitempty"`
	Formats []string `json:"formats"`
	Sizes   []string `json:"sizes"`
	MaxFPS  float64  `json:"max_fps"`
	Kind    string   `json:"kind,omitempty"` // firmware behind a network address
	Note    string   `json:"note,omitempty"`
	// Others are the other ways to the same camera.
	Others []otherWay `json:"alternatives,omitempty"`

	size camera.Size // to begin with; zero: the camera's own
	fps  float64
}

// otherWay is another source for a camera.
type otherWay struct {
	Source string `json:"source"`
	Note   string `json:"note"`
}

func detectCommand(e *env) *cobra.Command {
	var (
		hosts  []string
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "detect",
		Short: "Look for cameras on this machine, and print them as configuration",
		Long: "Look for cameras on this machine, and on hosts that are named, and print them as YAML\n" +
			"to paste into a configuration. Nothing is searched but what is named.",
		Example: "  camqtt detect\n" +
			"  camqtt detect --host 192.168.1.21 --host esp32-porch.local\n" +
			"  camqtt detect --host http://192.168.1.26/snapshot.cgi\n" +
			"  (echo 'broker:'; camqtt detect) > cameras.yaml && camqtt run -c cameras.yaml",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, h := range hosts {
				scheme, _, isURL := strings.Cut(h, "://")
				shown := printable(redact.Address(h))
				if h == "" || strings.ContainsAny(h, " \t") || !isURL && strings.Contains(h, "@") || isURL && scheme != "http" && scheme != "https" {
					return usage.Error(fmt.Errorf("detect: host %q: want a name or an address, such as 192.168.1.21, or http://ADDRESS/PATH", shown), e.name+" detect --help")
				}
			}
			all, err := look(c.Context(), e, hosts)
			if err != nil {
				return err
			}
			if asJSON {
				err = e.writeJSON(all)
			} else {
				err = writeYAML(e, all)
			}
			if err != nil {
				return err
			}
			if len(all) == 0 {
				return nothing(e, hosts)
			}
			return nil
		},
	}
	c.Flags().StringArrayVar(&hosts, "host", nil, "look for cameras with HTTP there too; may be repeated")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// look asks this machine and all hosts at once. What could not be looked at is
// said on standard error: it does not hide what was found.
func look(ctx context.Context, e *env, hosts []string) ([]sighting, error) {
	type answer struct {
		found []camera.Found
		err   error
	}
	answers := make([]answer, len(hosts)+1)
	within, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { // ends within probeTime
			if i == 0 {
				answers[i].found, answers[i].err = e.detect(within)
				return
			}
			answers[i].found, answers[i].err = e.probe(within, hosts[i-1])
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	all := []sighting{}
	taken := map[wire.ID]bool{}
	for i, a := range answers {
		if a.err != nil {
			complain(e, a.err)
		}
		for _, f := range a.found {
			if n := len(all); f.Same && n > 0 {
				all[n-1].Others = append(all[n-1].Others, otherWay{f.Source, f.Note})
				continue
			}
			s := sightingOf(f)
			if i > 0 {
				s.Host = redact.Address(hosts[i-1])
			}
			s.ID = idFor(s, taken)
			all = append(all, s)
		}
	}
	return all, nil
}

// complain says what could not be looked at, line by line, and the cure.
func complain(e *env, err error) {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(e.Stderr, "camqtt: %s\n", oneLine(strings.TrimSpace(line)))
	}
	if errors.Is(err, fs.ErrPermission) {
		fmt.Fprintln(e.Stderr, "Try: sudo usermod -aG video $USER, then log in again")
	}
}

// sightingOf chooses what to begin with: a size and a rate that every Pi and
// every network carries.
func sightingOf(f camera.Found) sighting {
	s := sighting{
		Source: f.Source, Name: shortName(f.Name), Device: f.Device, Driver: printable(f.Driver),
		Formats: append([]string{}, f.Formats...), Sizes: []string{}, MaxFPS: f.MaxFPS, Kind: f.Kind, Note: f.Note, fps: 10,
	}
	most := camera.Size{Width: 1280, Height: 720}
	switch {
	case s.encoded():
		most, s.fps = camera.Size{Width: 640, Height: 480}, 5
	case f.Kind != "": // larger pictures of these boards are slow, or more than their memory holds
		most = camera.Size{Width: 800, Height: 600}
	}
	if f.MaxFPS > 0 {
		s.fps = min(s.fps, f.MaxFPS)
	}
	for _, z := range f.Sizes {
		s.Sizes = append(s.Sizes, z.String())
		if s.size == (camera.Size{}) || z.Width <= most.Width && z.Height <= most.Height {
			s.size = z // the smallest, or a larger one that will do: they are in order
		}
	}
	return s
}

// shortName is a name as short as names are.
func shortName(s string) string {
	const most = 64 // as in wire.ParseName
	r := []rune(printable(s))
	if len(r) <= most {
		return string(r)
	}
	short := string(r[:most])
	if i := strings.LastIndexByte(short, ' '); i > 0 {
		short = short[:i]
	}
	return short
}

// encoded reports whether pictures of the camera have to be encoded by us.
func (s sighting) encoded() bool {
	return strings.HasPrefix(s.Source, "v4l2:") && len(s.Formats) > 0 && s.Formats[0] != "MJPG" && s.Formats[0] != "JPEG"
}

// idFor makes an id of the camera's name, or of where it is, that no other has.
func idFor(s sighting, taken map[wire.ID]bool) wire.ID {
	const most = 24
	word := ""
	for _, from := range []string{s.Name, s.Host, "camera"} {
		if word = slug(from); word != "" {
			break
		}
	}
	if len(word) > most {
		word = strings.Trim(word[:most], "-")
	}
	if word[0] >= '0' && word[0] <= '9' { // an address: say what it is of
		word = "cam-" + word
	}
	id := wire.ID(word)
	for n := 2; taken[id]; n++ {
		id = wire.ID(word + "-" + strconv.Itoa(n))
	}
	taken[id] = true
	return id
}

// slug is what of a text may stand in an id.
func slug(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') })
	return strings.Join(words, "-")
}

// writeYAML prints the cameras as a configuration has them.
func writeYAML(e *env, all []sighting) error {
	if len(all) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Try one: %s node %s --source %s\n", e.name, all[0].ID, shellWord(all[0].Source))
	b.WriteString("cameras:\n")
	for _, s := range all {
		s.comment(&b)
		fmt.Fprintf(&b, "  - id: %s\n", s.ID)
		if name, err := wire.ParseName(s.Name); err == nil {
			fmt.Fprintf(&b, "    name: %s\n", quoted(name))
		}
		fmt.Fprintf(&b, "    source: %s\n", quoted(s.Source))
		for _, o := range s.Others {
			fmt.Fprintf(&b, "    # or source: %s # %s\n", quoted(o.Source), oneLine(o.Note))
		}
		if s.size != (camera.Size{}) {
			fmt.Fprintf(&b, "    size: %s\n", s.size)
		}
		fmt.Fprintf(&b, "    fps: %s\n", strconv.FormatFloat(s.fps, 'f', -1, 64))
	}
	return write(e.Stdout, []byte(b.String()))
}

// comment says what else is known of the camera.
func (s sighting) comment(b *strings.Builder) {
	line := func(format string, a ...any) { fmt.Fprintf(b, "  # "+format+"\n", a...) }
	switch {
	case s.Host != "":
		line("at %s", printable(s.Host))
	case s.Device != "" && s.Driver != "":
		line("now %s, driver %s", printable(s.Device), s.Driver)
	case s.Device != "":
		line("now %s", printable(s.Device))
	}
	if s.Note != "" {
		line("%s", oneLine(s.Note))
	}
	if strings.Contains(s.Source, redact.Mask) {
		line("write the password or value in place of ***")
	}
	if len(s.Formats) > 0 {
		line("formats: %s", oneLine(strings.Join(s.Formats, " ")))
	}
	if len(s.Sizes) > 0 {
		line("sizes: %s", strings.Join(s.Sizes, " "))
	}
	if s.MaxFPS > 0 {
		line("at most %s pictures per second", strconv.FormatFloat(s.MaxFPS, 'f', -1, 64))
	}
	if s.encoded() {
		line("it delivers no JPEG: pictures are encoded here, which costs CPU; a small size and rate cost less")
	}
}

// quoted is a text as YAML has it: in quotes unless it is harmless without. JSON
// is YAML (YAML 1.2, 1.3).
func quoted(s string) string {
	harmless := s != "" && !strings.HasSuffix(s, ":") && !strings.Contains(s, ": ") && !strings.Contains(s, " #") &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" ._/:?=@#+()-", r))
		}) && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z') && strings.TrimSpace(s) == s
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		harmless = false
	}
	if harmless {
		return s
	}
	b, err := json.Marshal(s)
	if err != nil { // a string always can be
		return strconv.Quote(s)
	}
	return string(b)
}

// shellWord is a word for a shell: in quotes unless it is harmless without.
func shellWord(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._/:=@+-", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// addresses are those of hosts, without secrets.
func addresses(hosts []string) (all []string) {
	for _, h := range hosts {
		all = append(all, redact.Address(h))
	}
	return all
}

// nothing is the error of having found nothing, with what may be the reason.
func nothing(e *env, hosts []string) error {
	where := "on this machine"
	if len(hosts) > 0 {
		where += " or at " + strings.Join(addresses(hosts), ", ")
	}
	return usage.Hint(
		fmt.Errorf("no camera found %s", where),
		"lsusb (is it plugged in?), id (is this user in the group video?), rpicam-hello --list-cameras (for the camera of a Raspberry Pi; "+
			"package rpicam-apps), or "+e.name+" detect --host ADDRESS for one in the network",
	)
}
