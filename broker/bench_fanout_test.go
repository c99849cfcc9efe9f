//go:build linux

package broker

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var (
	benchRounds = flag.Int("rounds", 5, "rounds in which brokers take turns")
	benchRound  = flag.Duration("round", 1500*time.Millisecond, "length of a round")
	benchMatrix = flag.Bool("matrix", false, "all transports, protocols and numbers of viewers, for 20 minutes")
)

// line is one line of a table: what each broker cost, in rounds that took turns.
type line struct {
	name   string
	rounds map[string][]round
}

func (l *line) cost(side string) float64 {
	var v []float64
	for _, r := range l.rounds[side] {
		v = append(v, r.perFrame())
	}
	return median(v)
}

// ratio is the median of ours to another's of the same turn: what else the machine did
// then fell on both.
func (l *line) ratio(side string) float64 {
	var v []float64
	for i, r := range l.rounds[side] {
		v = append(v, l.rounds[ours][i].perFrame()/r.perFrame())
	}
	return median(v)
}

func (l *line) p99(side string) float64 {
	var all []time.Duration
	for _, r := range l.rounds[side] {
		all = append(all, r.ages...)
	}
	return percentile(all, 0.99)
}

// share is the part of what was sent that came, in percent.
func (l *line) share(side string) float64 {
	var sent, came int64
	for _, r := range l.rounds[side] {
		sent, came = sent+r.sent, came+r.delivered
	}
	return 100 * float64(came) / float64(max(sent, 1))
}

// compete lets fleets take turns.
func compete(b *testing.B, fps int, fleets map[string]*fleet, order []string) *line {
	l := &line{name: strings.SplitN(b.Name(), "/", 2)[1], rounds: map[string][]round{}}
	for _, name := range order { // the first pictures pay for buffers that then stay
		fleets[name].play(fps, time.Second/2)
	}
	for i := range *benchRounds {
		for k := range order {
			name := order[(i+k)%len(order)]
			l.rounds[name] = append(l.rounds[name], fleets[name].play(fps, *benchRound))
		}
	}
	l.report(b, order)
	return l
}

func (l *line) report(b *testing.B, order []string) {
	b.ReportMetric(0, "ns/op")
	for _, name := range order {
		b.ReportMetric(l.cost(name), name+"-us-cpu/frame")
		if name != ours {
			b.ReportMetric(l.ratio(name), "ours/"+name)
		}
	}
	b.ReportMetric(l.share(ours), "%-delivered")
	b.ReportMetric(l.p99(ours), "ms-age-p99")
}

// tabulate writes lines that have the same brokers as a table.
func tabulate(lines []*line, order []string) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "\n\t")
	for _, name := range order {
		fmt.Fprintf(w, "%s us/frame\t", name)
	}
	for _, name := range order[1:] {
		fmt.Fprintf(w, "ours/%s\t", name)
	}
	for _, name := range order {
		fmt.Fprintf(w, "%s p99 ms\t", name)
	}
	fmt.Fprintln(w, "delivered %\t")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t", l.name)
		value := func(side, format string, v float64) {
			if len(l.rounds[side]) == 0 {
				format = "-"
				fmt.Fprint(w, format+"\t")
				return
			}
			fmt.Fprintf(w, format+"\t", v)
		}
		for _, name := range order {
			value(name, "%.1f", l.cost(name))
		}
		for _, name := range order[1:] {
			value(name, "%.2f", l.ratio(name))
		}
		for _, name := range order {
			value(name, "%.1f", l.p99(name))
		}
		fmt.Fprintf(w, "%.1f\t\n", l.share(ours))
	}
	_ = w.Flush() // into memory
	_, _ = io.WriteString(os.Stdout, text.String()+"\n")
}

// fanCase is one line of BenchmarkFanout.
type fanCase struct {
	viewers int
	by      transport
	version byte
}

func (c fanCase) name() string {
	return fmt.Sprintf("%s/v%s/viewers=%d", c.by, map[byte]string{4: "3.1.1", 5: "5"}[c.version], c.viewers)
}

func fanCases() (all []fanCase) {
	if !*benchMatrix {
		for _, n := range []int{1, 20, 100, 300} {
			all = append(all, fanCase{n, transport{}, 4})
		}
		return append(all, fanCase{100, transport{}, 5}, fanCase{100, transport{tls: true}, 4},
			fanCase{20, transport{ws: true}, 4}, fanCase{100, transport{ws: true}, 4}, fanCase{300, transport{ws: true}, 4},
			fanCase{100, transport{ws: true, tls: true}, 4})
	}
	for _, by := range []transport{{}, {tls: true}, {ws: true}, {ws: true, tls: true}} {
		for _, v := range []byte{4, 5} {
			for _, n := range []int{1, 20, 100, 300} {
				all = append(all, fanCase{n, by, v})
			}
		}
	}
	return all
}

// ourTCP is ours with viewers that come without WebSocket.
const ourTCP = "ours-tcp"

// sides are who takes part. Debian's mosquitto does not deliver video over WebSocket (24
// of 300 frames, some 20 s late), so ours is compared with itself over TCP there.
func (c fanCase) sides() []string {
	if c.by.ws {
		return []string{ours, ourTCP}
	}
	return []string{ours, mosquitto, library, floor}
}

// BenchmarkFanout is the broker's processor time for each delivered picture of 50 KB:
// one camera at 15 fps, the broker in a process of its own, viewers here. The brokers
// take turns in short rounds; figures are medians over them. With -args -matrix all
// transports, protocols and numbers of viewers.
func BenchmarkFanout(b *testing.B) {
	direct, web := []*line{}, []*line{}
	for _, c := range fanCases() {
		b.Run(c.name(), func(b *testing.B) {
			s, fleets := newStage(b), map[string]*fleet{}
			for _, name := range c.sides() {
				process, by := name, c.by
				if name == ourTCP {
					process, by.ws = ours, false
				}
				fleets[name] = newFleet(b, s.start(process, by), c.version)
				fleets[name].add(1, c.viewers)
			}
			l := compete(b, 15, fleets, c.sides())
			if c.by.ws {
				web = append(web, l)
			} else {
				direct = append(direct, l)
			}
		})
	}
	for _, lines := range [][]*line{direct, web} {
		if len(lines) > 0 {
			tabulate(lines, map[bool][]string{false: fanCase{}.sides(), true: fanCase{by: transport{ws: true}}.sides()}[strings.HasPrefix(lines[0].name, "ws")])
		}
	}
}

// BenchmarkCameras is the same for many cameras with one viewer each, where reading
// what comes in weighs most.
func BenchmarkCameras(b *testing.B) {
	var lines []*line
	order := []string{ours, mosquitto, library}
	b.Run("cameras=30", func(b *testing.B) {
		s, fleets := newStage(b), map[string]*fleet{}
		for _, name := range order {
			fleets[name] = newFleet(b, s.start(name, transport{}), 4)
			fleets[name].add(30, 1)
		}
		lines = append(lines, compete(b, 10, fleets, order))
	})
	if len(lines) > 0 {
		tabulate(lines, order)
	}
}
