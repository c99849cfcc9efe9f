package rpicam

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/sourceurl"
)

// rpicamOptions is what is written behind "rpicam:": which camera, and after a
// question mark how it is to be set.
type rpicamOptions struct {
	where        string // "" for the first, a number, or an id path of libcamera's
	stills, zsl  bool
	settle       time.Duration // for the exposure to settle, before the first still or after the first frame; negative: not said
	hflip, vflip bool
	args         []string // the rest, as the programs take them
}

// rpicamOption is an option that is passed on to the program.
type rpicamOption struct {
	name  string // as it is written
	flag  string // as the program calls it, without dashes; may be written too
	want  string // for people
	value func(string) (string, bool)
}

// rpicamPassed are the options passed on, as rpicam-apps have them (their
// core/options.cpp), each checked here because the program would tell only when
// a picture is wanted.
func rpicamPassed() []rpicamOption {
	gain := span{0, 1000}
	return []rpicamOption{
		words("awb", "auto", "incandescent", "tungsten", "fluorescent", "indoor", "daylight", "cloudy", "custom"),
		{"awbgains", "awbgains", "red and blue gain, such as 1.8,1.5", fields{2, span{0, 32}}.take},
		words("exposure", "normal", "sport", "short", "long", "custom"),
		{"ev", "ev", "-10 to 10", span{-10, 10}.take},
		words("metering", "centre", "spot", "average", "matrix", "custom"),
		{"roi", "roi", "x,y,width,height, each 0 to 1", fields{4, span{0, 1}}.take},
		{"shutter", "shutter", "a time, such as 20ms", micros},
		{"gain", "gain", "0 to 1000", gain.take},
		{"flicker", "flicker-period", "a time, such as 10ms where the mains have 50 Hz", micros},
		renamed(words("autofocus-mode", "manual", "auto", "continuous"), "autofocus"),
		words("autofocus-range", "normal", "macro", "full"),
		words("autofocus-speed", "normal", "fast"),
		{"autofocus-window", "autofocus-window", "x,y,width,height, each 0 to 1", fields{4, span{0, 1}}.take},
		{"lens-position", "lens-position", "dioptres, 0 to 32, or default", dioptres},
		words("denoise", "auto", "off", "cdn_off", "cdn_fast", "cdn_hq"),
		words("hdr", "off", "auto", "sensor", "single-exp"),
		{"brightness", "brightness", "-1 to 1", span{-1, 1}.take},
		{"contrast", "contrast", "0 to 32", span{0, 32}.take},
		{"saturation", "saturation", "0 to 32", span{0, 32}.take},
		{"sharpness", "sharpness", "0 to 16", span{0, 16}.take},
		{"mode", "mode", "width:height, width:height:bits or width:height:bits:P, such as 2304:1296:10:P", sensorMode},
		{"tuning", "tuning-file", "the path of a tuning file", filePath},
		{"post-process", "post-process-file", "the path of a post-processing file", filePath},
		{"buffer-count", "buffer-count", "1 to 16", integers{1, 16}.take},
	}
}

// rpicamOwn are the options that are not passed on as they are.
func rpicamOwn() []string { return []string{"stills", "zsl", "settle", "hflip", "vflip", "rotation"} }

// optionNames are the names of all options.
func optionNames() []string {
	names := rpicamOwn()
	for _, p := range rpicamPassed() {
		names = append(names, p.name)
	}
	return names
}

func parseRpicam(rest string) (rpicamOptions, error) {
	show := redact.Line("rpicam:" + rest)
	where, query, _ := strings.Cut(rest, "?")
	o := rpicamOptions{where: where, settle: -1}
	if _, err := strconv.ParseUint(where, 10, 8); err != nil && where != "" && !strings.HasPrefix(where, "/") {
		return o, camera.ConfigError("source %s: camera %q: want rpicam: alone for the first camera, rpicam:1 for the second, or rpicam: and the path that rpicam-hello --list-cameras shows in brackets", show, where)
	}
	if err := sourceurl.EachOption(query, o.option); err != nil {
		return o, camera.ConfigError("source %s: %v", show, err)
	}
	if o.zsl && !o.stills {
		return o, camera.ConfigError("source %s: zsl is for stills: want stills=on as well", show)
	}
	return o, nil
}

// option takes one option and returns which that was.
func (o *rpicamOptions) option(given sourceurl.Option) (string, error) {
	key, value := given.Key, given.Value
	if !given.Given {
		value = "on"
	}
	if is, ok := map[string]*bool{"stills": &o.stills, "zsl": &o.zsl}[key]; ok {
		var err error
		*is, err = onOff(key, value)
		return key, err
	}
	switch key {
	case "settle":
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || d > camera.SettleMax {
			return key, fmt.Errorf("settle %q: want a time up to %s, such as 1.5s", redact.Line(value), camera.SettleMax)
		}
		o.settle = d
		return key, nil
	case "hflip", "vflip":
		on, err := onOff(key, value)
		if on {
			o.turn(key)
		}
		return key, err
	case "rotation":
		if value != "0" && value != "180" {
			return key, fmt.Errorf("rotation %q: want 0 or 180: the camera cannot turn a picture on its side, but rotate: 90 in the configuration shows it so", redact.Line(value))
		}
		o.turn(value)
		return key, nil
	}
	for _, p := range rpicamPassed() {
		if key != p.name && key != p.flag {
			continue
		}
		v, ok := p.value(value)
		if !ok {
			return p.flag, fmt.Errorf("%s %q: want %s", key, redact.Line(value), p.want)
		}
		o.args = append(o.args, "--"+p.flag, v)
		return p.flag, nil
	}
	return key, fmt.Errorf("unknown option %q: want one of %s", redact.Line(key), strings.Join(optionNames(), ", "))
}

// turn adds a rotation to how the picture is turned already. It reports whether
// the camera can do it.
func (o *rpicamOptions) turn(rotate string) bool {
	switch rotate {
	case "", "0":
	case "180":
		o.hflip, o.vflip = !o.hflip, !o.vflip
	case "hflip":
		o.hflip = !o.hflip
	case "vflip":
		o.vflip = !o.vflip
	default:
		return false
	}
	return true
}

// onOff reads an option that is on or off.
func onOff(key, value string) (bool, error) {
	switch strings.ToLower(value) {
	case "on", "true", "1":
		return true, nil
	case "off", "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("%s %q: want on or off", redact.Line(key), redact.Line(value))
}

// words is an option that is one of some words.
func words(name string, all ...string) rpicamOption {
	return rpicamOption{name, name, "one of " + strings.Join(all, ", "), func(s string) (string, bool) {
		for _, w := range all {
			if strings.EqualFold(s, w) {
				return w, true
			}
		}
		return "", false
	}}
}

func renamed(o rpicamOption, name string) rpicamOption {
	o.name = name
	return o
}

// span is a range of numbers.
type span struct{ least, most float64 }

func (n span) take(s string) (string, bool) {
	v, err := strconv.ParseFloat(s, 64)
	// Written anew: the program would take 0x1p-2 for 0.
	return strconv.FormatFloat(v, 'f', -1, 64), err == nil && v >= n.least && v <= n.most
}

// integers is a range of whole numbers.
type integers struct{ least, most int }

func (w integers) take(s string) (string, bool) {
	v, err := strconv.Atoi(s)
	return strconv.Itoa(v), err == nil && v >= w.least && v <= w.most
}

// fields is a list of so many numbers.
type fields struct {
	n    int
	each span
}

func (f fields) take(s string) (string, bool) {
	parts := strings.Split(s, ",")
	for i, p := range parts {
		v, ok := f.each.take(strings.TrimSpace(p))
		if !ok {
			return "", false
		}
		parts[i] = v
	}
	return strings.Join(parts, ","), len(parts) == f.n
}

// micros is a time; a bare number is microseconds, as the programs have it. It
// is passed on in these because older ones know no units.
func micros(s string) (string, bool) {
	if v, ok := (integers{0, 1 << 30}).take(s); ok {
		return v, true
	}
	d, err := time.ParseDuration(s)
	return strconv.FormatInt(d.Microseconds(), 10), err == nil && d >= 0
}

func dioptres(s string) (string, bool) {
	if s == "default" {
		return s, true
	}
	return span{0, 32}.take(s)
}

func sensorMode(s string) (string, bool) {
	return s, regexp.MustCompile(`^\d{1,5}:\d{1,5}(:\d{1,2}(:[PUpu])?)?$`).MatchString(s)
}

func filePath(s string) (string, bool) { return s, s != "" && !strings.Contains(s, "\x00") }
