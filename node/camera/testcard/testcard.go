// Package testcard is the kind that draws its pictures.
package testcard

import (
	"context"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/sourceurl"
)

// What a test source does when it is not told otherwise, and what it can.
const (
	cardWidth, cardHeight = 640, 480
	cardFPS, cardMaxFPS   = 10, 60
	cardQuality           = 80
	cardMinSide           = 16
	cardMaxSide           = 4096
)

// testCard is a source that draws its pictures: "test:", "test:640x480" or
// "test:?size=640x480&fps=10&quality=80&hue=30&label=porch".
type testCard struct {
	mode  camera.Mode
	label string
	hue   int // degrees, 0 to 359
}

// Kind is the row of the table of kinds.
func Kind() camera.Kind {
	return camera.Kind{
		Scheme: "test", Form: "test:640x480",
		Summary: "a drawn, moving picture",
		Bare:    true, Options: []string{"size", "fps", "quality", "hue", "label"}, Separator: "?", Timeout: 15 * time.Second,
		Check: camera.CheckMarkers, Open: openTestCard,
	}
}

func openTestCard(rest string, _ camera.Options) (camera.Source, error) {
	show := redact.Line("test:" + rest)
	size, query, _ := strings.Cut(rest, "?")
	c := &testCard{
		mode:  camera.Mode{Width: cardWidth, Height: cardHeight, FPS: cardFPS, Quality: cardQuality},
		label: "TEST", hue: -1,
	}
	if size != "" {
		query = "size=" + size + "&" + query
	}
	if err := sourceurl.EachOption(query, func(x sourceurl.Option) (string, error) { return x.Key, c.set(x.Key, x.Value) }); err != nil {
		return nil, camera.ConfigError("source %s: %v", show, err)
	}
	if c.hue < 0 { // cameras that are named differently look different without being told to
		h := fnv.New32a()
		_, _ = h.Write([]byte(c.label)) // documented never to fail
		c.hue = int(h.Sum32() % 360)
	}
	return c, nil
}

func (c *testCard) set(key, value string) error {
	var err error
	switch key {
	case "size":
		var s camera.Size
		if s, err = camera.ParseSize(value); err == nil {
			c.mode.Width, c.mode.Height = s.Width, s.Height
			err = checkCard(c.mode)
		}
	case "fps":
		if c.mode.FPS, err = strconv.ParseFloat(value, 64); err != nil || !(c.mode.FPS > 0 && c.mode.FPS <= cardMaxFPS) {
			return camera.ConfigError("fps %q: want a number above 0 and up to %d", value, cardMaxFPS)
		}
	case "quality":
		c.mode.Quality, err = parseRange(key, value, 1, 100)
	case "hue":
		c.hue, err = parseRange(key, value, 0, 359)
	case "label":
		c.label = value
	default:
		return camera.ConfigError("unknown key %q: want size, fps, quality, hue or label", key)
	}
	return err
}

func parseRange(key, value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, camera.ConfigError("%s %q: want %d to %d", key, value, low, high)
	}
	return n, nil
}

func checkCard(m camera.Mode) error {
	if min(m.Width, m.Height) < cardMinSide || max(m.Width, m.Height) > cardMaxSide {
		return camera.ConfigError("size %dx%d: a test picture has %d to %d pixels a side", m.Width, m.Height, cardMinSide, cardMaxSide)
	}
	return nil
}

// Profile says that everything can be asked for, at once.
func (c *testCard) Profile() camera.Profile {
	own := camera.Size{Width: c.mode.Width, Height: c.mode.Height}
	sizes := []camera.Size{own} // all of one shape, so that changing the size changes nothing else
	for s := (camera.Size{Width: own.Width / 2, Height: own.Height / 2}); s.Width >= 160 && s.Height >= cardMinSide; s = (camera.Size{Width: s.Width / 2, Height: s.Height / 2}) {
		sizes = append([]camera.Size{s}, sizes...)
	}
	for s := (camera.Size{Width: own.Width * 2, Height: own.Height * 2}); s.Width <= 1280; s = (camera.Size{Width: s.Width * 2, Height: s.Height * 2}) {
		sizes = append(sizes, s)
	}
	return camera.Profile{
		Kind: "test", Make: "camqtt", Model: "test card", Sizes: sizes, MaxFPS: cardMaxFPS,
		Caps: []string{camera.CapSize, camera.CapFPS, camera.CapQuality}, Instant: true,
	}
}

// Stream draws pictures on a steady grid of time; the first at once.
func (c *testCard) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	if err := m.Check(); err != nil {
		return err
	}
	want := c.mode
	if m.Width > 0 {
		want.Width, want.Height = m.Width, m.Height
	}
	if m.FPS > 0 {
		want.FPS = min(m.FPS, cardMaxFPS)
	}
	if m.Quality > 0 {
		want.Quality = m.Quality
	}
	if err := checkCard(want); err != nil {
		return err
	}
	card := newCard(want.Width, want.Height, c.hue, c.label)
	var out picture
	return camera.Every(ctx, camera.Interval(want.FPS), func() error {
		at := time.Now()
		card.draw(at)
		if err := card.encode(out.fresh(), want.Quality); err != nil {
			return &camera.Error{Code: camera.NoCamera, Text: "encode test picture: " + err.Error(), Err: err}
		}
		emit(camera.Frame{JPEG: out.b, At: at})
		return nil
	})
}

// picture is what jpeg.Encode writes to without a buffer of its own in between.
// Each fresh one is a new slice with room for a picture like the last.
type picture struct{ b []byte }

func (p *picture) fresh() *picture {
	p.b = make([]byte, 0, max(len(p.b)+len(p.b)/8, 16<<10))
	return p
}

func (p *picture) Write(b []byte) (int, error) {
	p.b = append(p.b, b...)
	return len(b), nil
}

func (p *picture) WriteByte(c byte) error {
	p.b = append(p.b, c)
	return nil
}

func (p *picture) Flush() error { return nil }
