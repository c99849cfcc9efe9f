package httpcam

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
)

// probeTimeout leaves a board that is in use the time to be recognised as one.
const probeTimeout = boardTimeout + 500*time.Millisecond

// probePorts are where boards have their web servers, besides 80, which comes
// first: ESPHome's is where its owner put it, in the manual's examples on these.
func probePorts() []string { return []string{"8080", "8081", "81"} }

// Probe looks at what answers at a network address, within 5.5 s: a host, with or
// without a port, or a whole URL. It returns the sources to write for it, the best
// first, or an error that says why there is none. It takes at most one picture and
// never opens a stream beside another one. In what is
// returned, *** stands for the password and the values in the query of the address.
func Probe(ctx context.Context, host string) ([]camera.Found, error) {
	return probeHost(ctx, host, nil)
}

func probeHost(ctx context.Context, host string, client *http.Client) ([]camera.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	source, shown := host, redact.Line(redact.Address(host))
	if !strings.Contains(host, "://") {
		source = "http://" + host
	}
	u, err := url.Parse(source)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, camera.ConfigError("address %q: want a host such as 192.168.1.20, host:port, or http://host/path", shown)
	}
	o := camera.Options{MaxPicture: camera.DefaultMaxPicture, Log: slog.New(slog.DiscardHandler), HTTPClient: client}
	found, err := probe(ctx, source, o)
	if err == nil || u.Port() != "" || u.Path != "" && u.Path != "/" || u.Scheme == "https" || isThere(err) || ctx.Err() != nil {
		return found, err
	}
	type result struct {
		found []camera.Found
		err   error
	}
	results := make(chan result)
	for _, port := range probePorts() {
		at := *u
		at.Host += ":" + port
		go func() { // ends with ctx or its answers; results are taken below, all of them
			found, err := probe(ctx, at.String(), o)
			results <- result{found, err}
		}()
	}
	for range probePorts() {
		r := <-results
		found = append(found, r.found...)
		if isThere(r.err) {
			err = r.err
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	return nil, fmt.Errorf("no camera found at %s, nor on its ports %s: %w", shown, strings.Join(probePorts(), ", "), err)
}

// isThere says whether something has answered, or at least taken the request.
func isThere(err error) bool {
	return camera.CodeOf(err) == camera.CameraBusy || camera.CodeOf(err) == camera.Stalled
}

// probe looks at one address.
func probe(ctx context.Context, source string, o camera.Options) ([]camera.Found, error) {
	s, err := openURL(source, o)
	if err != nil {
		return nil, err
	}
	s.option.timeout = cmp.Or(s.option.timeout, boardTimeout)
	v, done := s.visit(ctx, func(camera.Frame) {})
	defer done()
	a, err := v.find(ctx)
	if err == nil && a == nil && s.facts().answer != boardAnswer {
		a, err = v.get(ctx, s.url.String())
	}
	if ctx.Err() != nil {
		return nil, &camera.Error{Code: camera.Stalled, Text: fmt.Sprintf("nothing camera-like answers at %s in time", v.name()), Err: ctx.Err()}
	}
	if err != nil {
		return nil, err
	}
	if a == nil {
		return s.foundBoard(ctx, v), nil
	}
	return []camera.Found{s.foundAnswer(ctx, v, a)}, nil
}

// foundBoard describes a board that has a page of its own, by one picture at most.
func (s *httpSource) foundBoard(ctx context.Context, v *visit) []camera.Found {
	f := s.facts()
	note := ""
	p := &poller{visit: v, addr: f.places.Capture}
	pic, _, err := p.shot(ctx)
	if in, bad := jpeg.Scan(pic); err == nil && bad == nil {
		note = fmt.Sprintf("; now %dx%d", in.Width, in.Height)
		if f.status != nil {
			s.know(func(f *facts) {
				f.number.Learn(f.status.FrameSize, board.Size{Width: in.Width, Height: in.Height})
				f.sizes = nil
			})
		}
	} else if err != nil {
		note = "; it gave no picture just now: " + err.Error()
	}
	prof := s.Profile()
	one := camera.Found{Name: prof.Model, Kind: string(f.kind), Formats: []string{"JPEG"}, Sizes: prof.Sizes}
	if f.status != nil && f.status.Name != "" {
		one.Name = redact.Line(f.status.Name) + " (" + prof.Model + ")"
	}
	one.Source, one.Note = s.shown(s.url.String()), "stream and single pictures, whichever fits"+note
	all := []camera.Found{one}
	also := func(addr, note string) {
		x := one
		x.Source, x.Note, x.Same = s.shown(addr), note, true
		all = append(all, x)
	}
	also(f.places.Capture, "single pictures only: leaves the board's one stream to others")
	if f.places.Stream != "" {
		also(f.places.Stream, "the stream only: one viewer at a time")
	}
	return all
}

// foundAnswer describes an address that gives pictures itself.
func (s *httpSource) foundAnswer(ctx context.Context, v *visit, a *answer) camera.Found {
	kind := board.FromAnswer(a.Header, a.ProtoMinor == 0)
	x := camera.Found{Source: s.shown(s.url.String()), Name: s.host, Kind: string(kind), Formats: []string{"JPEG"}}
	if fw := board.Of(kind); fw.Kind != board.Generic {
		x.Name = fw.Name
	}
	var pic []byte
	var err error
	if a.is == pictureStream {
		x.Note = "a stream"
		if kind != board.Generic {
			x.Note += ": one viewer at a time"
		}
		pic, err = jpeg.NewSplitter(a.body, jpeg.SplitterOptions{Max: s.max}).Next()
		a.close()
	} else {
		x.Note = "a picture for each request"
		s.know(func(f *facts) { f.asked = true })
		pic, _, err = (&poller{visit: v, addr: s.url.String(), first: a}).shot(ctx)
	}
	if in, bad := jpeg.Scan(pic); err == nil && bad == nil {
		x.Sizes = []camera.Size{{Width: in.Width, Height: in.Height}}
	} else {
		x.Note += "; it gave no whole picture just now"
	}
	return x
}

// shown is an address as a source to write, with the user, the options and a mask
// in place of the password.
func (s *httpSource) shown(addr string) string {
	u, err := url.Parse(addr)
	if err != nil {
		return s.redact.Line(addr)
	}
	if u.User = s.login.user; u.Path == "" {
		u.Path = "/"
	}
	out := u.String()
	if s.option.given != "" {
		out += "#" + s.option.given
	}
	return redact.Template(out)
}
