package board

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFromAnswer(t *testing.T) {
	head := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	stream := "multipart/x-mixed-replace;boundary=" + boundary
	for name, tt := range map[string]struct {
		h      http.Header
		http10 bool
		want   Kind
	}{
		"CameraWebServer stream":  {head("Content-Type", stream, "X-Framerate", "60"), false, CameraWebServer},
		"CameraWebServer picture": {head("Content-Disposition", "inline; filename=capture.jpg", "X-Timestamp", "1.2", "Access-Control-Allow-Origin", "*"), false, CameraWebServer},
		"easytarget stream":       {head("Content-Type", stream), false, Easytarget},
		"easytarget picture":      {head("Content-Disposition", "inline; filename=capture.jpg", "Access-Control-Allow-Origin", "*"), false, Easytarget},
		"ESPHome stream":          {head("Content-Type", stream), true, ESPHome},
		"ESPHome picture":         {head("Content-Disposition", "inline; filename=capture.jpg"), false, ESPHome},
		"Tasmota page":            {head("Server", "Tasmota/14.2.0 (ESP32-D0WDQ6-v1.0)"), false, Tasmota},
		"Tasmota picture":         {head("Content-Disposition", "inline; filename=cap.jpg"), false, Tasmota},
		"Tasmota stream":          {head("Content-Type", "multipart/x-mixed-replace;boundary=e8b8c539-047d-4777-a985-fbba6edff11e"), false, Tasmota},
		"an IP camera":            {head("Content-Type", "image/jpeg"), false, Generic},
	} {
		if got := FromAnswer(tt.h, tt.http10); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		kind       Kind
		root, says string
		want       Places
	}{
		{CameraWebServer, "http://esp32/", "", Places{"http://esp32/capture", "http://esp32:81/stream", "http://esp32"}},
		{CameraWebServer, "http://[fe80::1]:8080", "", Places{"http://[fe80::1]:8080/capture", "http://[fe80::1]:8081/stream", "http://[fe80::1]:8080"}},
		{Easytarget, "http://esp32/", "http://evil.example:8082/live?x=1", Places{"http://esp32/capture", "http://esp32:8082/live?x=1", "http://esp32"}},
		{Easytarget, "http://esp32/", "javascript:alert(1)", Places{"http://esp32/capture", "http://esp32:81/", "http://esp32"}},
		{Tasmota, "http://esp32/", "", Places{"http://esp32/wc.jpg", "http://esp32:81/cam.mjpeg", ""}},
		{CameraWebServer, "http://esp32:65535/", "", Places{"http://esp32:65535/capture", "", "http://esp32:65535"}},
		{Generic, "http://esp32/", "", Places{}},
	} {
		u, err := url.Parse(tt.root)
		if err != nil {
			t.Fatal(err)
		}
		if got := PlacesOf(Of(tt.kind), u, tt.says); got != tt.want {
			t.Errorf("%s at %s: %+v, want %+v", tt.kind, tt.root, got, tt.want)
		}
	}
}

const (
	newStatus = `{"0xd3":8,"0x111":128,"xclk":20,"pixformat":4,"framesize":10,"quality":12,"brightness":0,"led_intensity":-1}`
	oldStatus = `{"lamp":30,"autolamp":0,"framesize":8,"quality":10,"cam_name":"Shed","code_ver":"x","rotate":"0","stream_url":"http://10.0.0.9:81/"}`
)

func TestParseStatus(t *testing.T) {
	zero := 0
	for in, want := range map[string]Status{
		newStatus: {FrameSize: 10, Quality: 12, Sensor: "OV2640", Kind: CameraWebServer},
		oldStatus: {FrameSize: 8, Quality: 10, Light: "lamp", LightValue: 30, AutoLight: &zero, StreamURL: "http://10.0.0.9:81/", Name: "Shed", Kind: Easytarget},
		strings.Replace(newStatus, "-1", "128", 1):                                       {FrameSize: 10, Quality: 12, Sensor: "OV2640", Light: "led_intensity", LightValue: 128, Kind: CameraWebServer},
		`{"0x3400":1,"framesize":5,"quality":4}`:                                         {FrameSize: 5, Quality: 4, Sensor: "OV3660 or OV5640", Kind: CameraWebServer},
		`{"framesize":5,"quality":4,"led_intensity":"x","stream_url":7,"cam_name":null}`: {FrameSize: 5, Quality: 4, Kind: Easytarget},
	} {
		got, err := ParseStatus([]byte(in))
		if err != nil || deref(got) != deref(want) {
			t.Errorf("ParseStatus(%s) = %+v, %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "[]", "{}", `{"framesize":1}`, `{"framesize":-1,"quality":1}`, `{"framesize":1,"quality":64}`, `{"framesize":1.5,"quality":1}`, `{"framesize":1e300,"quality":1}`, `{"framesize":"5","quality":1}`, "<html>", strings.Repeat(" ", MaxStatus+1)} {
		if s, err := ParseStatus([]byte(in)); err == nil {
			t.Errorf("ParseStatus(%.40q) = %+v, want an error", in, s)
		}
	}
}

// deref is a status as text, without pointers, to be compared.
func deref(s Status) string {
	auto := "none"
	if s.AutoLight != nil {
		auto = fmt.Sprint(*s.AutoLight)
	}
	s.AutoLight = nil
	return fmt.Sprintf("%+v autolamp %s", s, auto)
}

func TestQuality(t *testing.T) {
	for ours, want := range map[int]int{-5: 63, 1: 63, 50: 34, 80: 16, 100: 4, 200: 4} {
		if got := QualityFor(ours); got != want {
			t.Errorf("QualityFor(%d) = %d, want %d", ours, got, want)
		}
	}
	for q := 2; q <= 100; q++ {
		if QualityFor(q) > QualityFor(q-1) {
			t.Errorf("quality %d is worse than %d", q, q-1)
		}
	}
	for _, tt := range []struct {
		light         string
		percent, want int
	}{{"led_intensity", 100, 255}, {"led_intensity", 50, 128}, {"led_intensity", 0, 0}, {"lamp", 33, 33}, {"lamp", 100, 100}} {
		if got := (Status{Light: tt.light}).LightFor(tt.percent); got != tt.want {
			t.Errorf("%s at %d %%: %d, want %d", tt.light, tt.percent, got, tt.want)
		}
	}
}

// Whatever the order, a board that answers truly is led to each of its sizes in a
// few tries, and a size that it does not have ends.
func TestNumbers(t *testing.T) {
	for l, layout := range append(layouts(), []Size{{40, 30}, {80, 60}, {320, 240}, {640, 480}, {1000, 700}}) {
		for start, now := range layout {
			for _, want := range layout {
				var n Numbers
				n.Learn(start, now)
				tries := 0
				for got := now; got != want; tries++ {
					number := n.For(want)
					if number < 0 {
						t.Fatalf("layout %d from %v: %v not found", l, now, want)
					}
					if number >= len(layout) {
						n.Refuse(number)
						continue
					}
					got = layout[number]
					n.Learn(number, got)
				}
				if tries > 6 && l < len(layouts()) {
					t.Errorf("layout %d: from %v to %v in %d tries", l, now, want, tries)
				}
			}
			var n Numbers
			n.Learn(start, now)
			for i := 0; ; i++ {
				number := n.For(Size{123, 45})
				if number < 0 {
					break
				}
				if number < len(layout) {
					n.Learn(number, layout[number])
				} else {
					n.Refuse(number)
				}
				if i > 100 {
					t.Fatalf("layout %d: the search for a size that is not there does not end", l)
				}
			}
		}
	}
}

func TestOffered(t *testing.T) {
	var n Numbers
	if got := n.Offered("OV2640"); !slices.Contains(got, Size{1600, 1200}) || slices.Contains(got, Size{1920, 1080}) {
		t.Errorf("an OV2640 offers %v", got)
	}
	if got := n.Offered("OV3660 or OV5640"); !slices.Contains(got, Size{2560, 1920}) {
		t.Errorf("an OV5640 offers %v", got)
	}
	n.Learn(10, Size{640, 480})
	n.Refuse(15)
	if got := n.Offered("OV2640"); slices.Contains(got, Size{1600, 1200}) || !slices.Contains(got, Size{640, 480}) || !slices.IsSortedFunc(got, func(a, b Size) int { return a.pixels() - b.pixels() }) {
		t.Errorf("offers %v after 15 was refused", got)
	}
}

func TestParseStamp(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"1.000000": time.Second, "12345.678901": 12345*time.Second + 678901*time.Microsecond, "0.5": time.Second / 2, " 7 ": 7 * time.Second,
	} {
		if got, ok := ParseStamp(in); !ok || got != want {
			t.Errorf("ParseStamp(%q) = %v, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", ".", "x", "-1.0", "+1.0", "1.-5", "1.0000000000", "12345678901.0", "1.5.5", "1e3"} {
		if got, ok := ParseStamp(in); ok {
			t.Errorf("ParseStamp(%q) = %v, want none", in, got)
		}
	}
}

func TestClock(t *testing.T) {
	boot := time.Now()
	at := func(d time.Duration) time.Time { return boot.Add(d) }
	var c Clock
	for i := range 5 { // old pictures at first
		if c.Trusted(at(time.Minute)) {
			t.Errorf("trusted after %d pictures", i)
		}
		age := time.Duration(4-i) * 10 * time.Second
		c.See(time.Minute-age+time.Duration(i), at(time.Minute+time.Duration(i)+50*time.Millisecond))
	}
	if got := c.At(30*time.Second+1, at(time.Minute+time.Second)); got.Sub(at(30*time.Second)) > 51*time.Millisecond || !c.Trusted(at(time.Minute)) {
		t.Errorf("a picture of 30 s counts as of %v", got.Sub(boot))
	}
	if got := c.At(2*time.Minute+1, at(time.Minute)); got.After(at(time.Minute)) {
		t.Errorf("a picture counts as of %v after it arrived", got.Sub(at(time.Minute)))
	}
	if got := c.At(30*time.Second, at(time.Minute)); got.Sub(at(31*time.Second)) > 51*time.Millisecond || got.Before(at(31*time.Second)) {
		t.Errorf("a stamp without fraction counts as of %v, want the end of its second", got.Sub(boot))
	}
	if _, ok := c.NotBefore(time.Minute); ok {
		t.Error("a time is sure though nothing was said")
	}
	c.After(30*time.Second+1, at(29*time.Second))
	c.After(31*time.Second+1, at(29*time.Second))
	c.After(32*time.Second, at(time.Hour)) // in whole seconds: not sure
	if got, ok := c.NotBefore(40*time.Second + 1); !ok || !got.Equal(at(39*time.Second)) {
		t.Errorf("a picture of 40 s was surely not taken before %v, %v; want 39s", got.Sub(boot), ok)
	}
	// The board's quartz is slow by 100 ppm: what was learnt is forgotten in time.
	for d := time.Duration(0); d < 3*time.Hour; d += time.Second {
		stamp := time.Minute + d - d/10000 + 1
		c.See(stamp, at(time.Minute+d))
		if got := c.At(stamp, at(time.Minute+d)); d > time.Hour && at(time.Minute+d).Sub(got) > 300*time.Millisecond {
			t.Fatalf("after %v a new picture counts as %v old", d, at(time.Minute+d).Sub(got))
		}
	}
	if c.Trusted(at(5 * time.Hour)) {
		t.Error("trusted two hours later")
	}
	if !c.See(time.Second, at(5*time.Hour)) || c.Trusted(at(5*time.Hour)) {
		t.Error("a restart is not seen")
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte(newStatus))
	f.Add([]byte(oldStatus))
	f.Add([]byte(`{"framesize":1e99,"quality":-0}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseStatus(b)
		if err != nil {
			return
		}
		if s.Quality < 0 || s.Quality > 63 || s.FrameSize < 0 || s.Light == "" && s.LightValue != 0 {
			t.Fatalf("%+v", s)
		}
		root := &url.URL{Scheme: "http", Host: "esp32"}
		p := PlacesOf(Of(s.Kind), root, s.StreamURL)
		if u, err := url.Parse(p.Stream); err != nil || p.Stream != "" && u.Hostname() != "esp32" {
			t.Fatalf("stream at %q, %v", p.Stream, err)
		}
	})
}

func FuzzParseStamp(f *testing.F) {
	f.Add("12.345678")
	f.Add("999999999.999999999")
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := ParseStamp(s); ok && (d < 0 || d >= 1e9*time.Second) {
			t.Fatalf("%q is %v", s, d)
		}
	})
}
