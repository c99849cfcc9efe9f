package redact_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"camqtt/internal/redact"
)

func TestAddress(t *testing.T) {
	for s, want := range map[string]string{
		"http://host/":                        "http://host/",
		"http://host":                         "http://host",
		"https://host:8443/path":              "https://host:8443/***",
		"http://user@host/":                   "http://host/",
		"http://user:pw@host:81/s?x=1":        "http://host:81/***",
		"http://host?key=geheim":              "http://host/***",
		"http://host#geheim":                  "http://host/***",
		"http://user:p@ss:w@host/":            "http://host/",
		"http://:pw@[fe80::1%25eth0]:80/x":    "http://[fe80::1%25eth0]:80/***",
		"rtsp://user:ge/heim@host/":           "rtsp://***",
		"rtsp://user:1234/heim@host/":         "rtsp://***",
		"rtsp://user:ge#heim@host/":           "rtsp://***",
		"rtsp://user:ge?heim@host/":           "rtsp://***",
		"http://user:ge%heim@host/":           "http://host/",
		"http://user:ge heim@ho st/":          "http://***",
		"http:///geheim":                      "http://***",
		"mqtt:/adm:geheim@host":               "mqtt://host",
		"adm:geheim@host:1883":                "host:1883",
		"geheim@host":                         "host",
		"host:81/geheim":                      "host:81/***",
		"192.168.1.21":                        "192.168.1.21",
		"host:geheim":                         "***",
		"rtsp:geheim@@host":                   "host",
		"unix:///run/mqtt.sock":               "unix:///run/mqtt.sock",
		"http://u:geheim@host:99999/":         "http://***",
		"http://us\x00er:geheim@host\nx/":     "http://***",
		"ws://u:geheim@host/mqtt?token=gehim": "ws://host/***",
		"":                                    "",
	} {
		if got := redact.Address(s); got != want {
			t.Errorf("Address(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestSource(t *testing.T) {
	for s, want := range map[string]string{
		"test:640x480?label=x":       "test:640x480?label=x",
		"v4l2:/dev/video0":           "v4l2:/dev/video0",
		"dir:/home/me@work/pictures": "dir:/home/me@work/pictures",
		"push":                       "push",
		"http://u:geheim@cam/x":      "http://cam/***",

		"ffmpeg:rtsp://u:geheim@cam/1#keyframes=on": "ffmpeg:rtsp://cam/***",
		"ffmpeg:/srv/clip.mp4":                      "ffmpeg:/srv/clip.mp4",
		"ffmpeg:u:geheim@cam":                       "ffmpeg:cam",
		"exec:/usr/bin/grab":                        "exec:/usr/bin/grab",
		"exec:grab -u u:geheim http://cam/":         "exec:grab ***",
		"exec:grab\t-u\tu:geheim":                   "exec:grab ***",
		"exec:grab\n-k geheim":                      "exec:grab ***",
		"exec:grab;login geheim":                    "exec:***",
		"exec:{grab,geheim}":                        "exec:***",
		"exec:'geheim' x":                           "exec:***",
		"exec:PW=geheim grab":                       "exec:***",
		"mqtt:door/jpg?broker=mqtt://u:geheim@hub/": "mqtt:door/jpg?***",
		"/dev/video0":                               "/dev/video0",
	} {
		if got := redact.Source(s); got != want {
			t.Errorf("Source(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestTemplate(t *testing.T) {
	for s, want := range map[string]string{
		"http://u:geheim@cam:81/x.cgi?c=1&pw=geheim&y#kind=esphome": "http://u:***@cam:81/x.cgi?c=***&pw=***&y#kind=esphome",
		"mqtts://node1@hub":       "mqtts://node1@hub",
		"http://u:ge/heim@cam/x":  "http://***",
		"http://u:1234/x@cam/x":   "http://***",
		"unix:///run/mqtt.sock":   "unix:///run/mqtt.sock",
		"wss://hub/?token=geheim": "wss://hub/?token=***",
	} {
		if got := redact.Template(s); got != want {
			t.Errorf("Template(%q) = %q, want %q", s, got, want)
		}
	}
}

// TestTextOfOthers gives sources and what cameras and programs say of them. The
// secret is "geheim" in every one of them.
func TestTextOfOthers(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("admin:geheim"))
	for _, tt := range []struct{ source, said, want string }{
		{"http://host/snap?sid=geheim&ch=1", "GET /snap?sid=geheim&ch=1 fails", "GET /*** fails"},
		{"http://host/geheim/1.jpg", "nothing at geheim here", "nothing at *** here"},
		{"http://host/a.jpg", "moved to http://x:geheim@other:8080/y?z=geheim.", "moved to http://other:8080/***."},
		{"http://admin:geheim@host/", "Authorization: Basic " + basic, "Authorization: ***"},
		{"http://admin:geheim@host/", "got " + basic, "got ***"},
		{"http://admin:ge%20heim%2F@host/", "login ge heim/ or ge%20heim%2F or ge+heim%2F", "login *** or *** or ***"},
		{"ffmpeg:rtsp://admin:ge%zzheim@host/", "bad ge%zzheim", "bad ***"},
		{"ffmpeg:rtsp://admin:p@ss#geheim@host/live", "Failed to resolve hostname ss: unknown", "Failed to resolve hostname ***: unknown"},
		{"ffmpeg:rtsp://admin:p@ss/geheim@host/live", "rtsp://admin:p@ss/geheim@host/live: no", "rtsp://***: no"},
		{"http://geheim@host/s#kind=esphome", "kind esphome of geheim", "kind esphome of ***"},
		{"exec:grab --whatever geheim", "I was told geheim", "I was told ***"},
		{"exec:grab -xgeheim", "I was told geheim", "I was told ***"},
		{"exec:grab --q=geheim", "I was told geheim", "I was told ***"},
		{"exec:grab q=geheim", "I was told geheim", "I was told ***"},
		{"exec:grab 10.0.0.7 admin geheim", "login geheim", "login ***"},
		{"exec:QQ=geheim grab", "login geheim", "login ***"},
		{"exec:curl -u admin:geheim http://host/", "> basic " + basic, "> basic ***"},
		{"exec:curl -H 'X-Key: geheim' http://host/", "sent geheim", "sent ***"},
		{"exec:curl -H 'Authorization: Bearer geheim' http://host/", "> authorization: Bearer geheim", "> authorization: ***"},
		{"exec:sudo sh -c 'grab -u admin:geheim http://host'", "login geheim", "login ***"},
		{"exec:timeout 5 /bin/bash -lc 'grab --key geheim'", "login geheim", "login ***"},
		{"exec:python3 -c 'import x; x.get(auth=(\"admin\", \"geheim\"))'", "login geheim", "login ***"},
		{"exec:grab --key:geheim", "login geheim", "login ***"},
		{"http://admin:%2Fgeheim%2F@host/", "login %2fgeheim%2f", "login ***"},
		{"exec:curl 'http://host/s?k=geheim'", "* geheim", "* ***"},
		{"exec:ffmpeg -i rtsp://u:geheim@h/1 -f mpjpeg -", "rtsp://u:geheim@h/1: Connection refused", "rtsp://h/***: Connection refused"},
		{"exec:sh -c 'grab --pin geheim | tee x'", "grab geheim", "grab ***"},
		{"exec:sh -c 'echo X-Key: geheim >&2'", "key geheim", "key ***"},
		{"exec:sh -c 'echo k=geheim >&2; exit 1'", "key geheim", "key ***"},
		{"exec:sh -c 'echo cannot open camera >&2; exit 1'", "cannot open camera", "cannot open camera"},
		{"exec:grab -d /dev/video0", "/dev/video0: Device or resource busy", "/dev/video0: Device or resource busy"},
		{"exec:grab x", "X-Api-Key: geheim", "X-Api-Key: ***"},
		{"exec:grab x", "GET /geheim HTTP/1.1", "GET *** HTTP/1.1"},
		{"exec:grab x", "get /snap?geheim", "get /***"},
		{"exec:rpicam-vid", "ERROR: *** no cameras available ***", "ERROR: *** no cameras available ***"},
		{"exec:grab --key geheim-key-1234", "the key is geheim-key-12", "the key is ***"},
		{"exec:grab --key geheim-key-1234", "heim-key-1234 was wrong", "*** was wrong"},
	} {
		if got := redact.New(tt.source).Text(tt.said); got != tt.want {
			t.Errorf("%s: %q becomes %q, want %q", tt.source, tt.said, got, tt.want)
		}
	}
	if got := redact.New("http://host/", "geheim").Text("it is geheim"); got != "it is ***" {
		t.Errorf("a password from elsewhere: %q", got)
	}
	if got := redact.Command("grab", "geheim").Text("it is geheim"); got != "it is ***" {
		t.Errorf("an argument: %q", got)
	}
}

// TestEveryPlace puts one secret into each part of an address that can hold one, in
// each way in which people escape it, and looks for it in all that is shown.
func TestEveryPlace(t *testing.T) {
	for _, secret := range []string{"hunter2x", "hu@nter2x", "hu/nter2x", "hu#nter2x", "hu?nter2x", "hu%nter2x", "hu:nter2x", "hu nter2x", "hu&nter2x", "hü+nter2x"} {
		for _, escaped := range []string{secret, url.PathEscape(secret), url.QueryEscape(secret)} {
			for _, form := range []string{
				"http://admin:%s@cam:81/x", "http://%s:pw@cam/x", "http://cam/%s/x", "http://cam/x?anything=%s", "http://cam/x?a=b&%s", "http://cam/x?a=b;c=%s",
			} {
				address := fmt.Sprintf(form, escaped)
				shown := redact.Address(address) + redact.Source(address) + redact.Source("ffmpeg:"+address) + redact.Source("exec:grab "+address)
				for _, source := range []string{address, "ffmpeg:" + address, "exec:grab -i '" + address + "' -x"} {
					r := redact.New(source)
					shown += r.Text("open "+address+": failed") + r.Text("got "+secret+" and "+escaped+", want another")
				}
				if strings.Contains(shown, "nter2x") {
					t.Errorf("%s is shown as %s", address, shown)
				}
			}
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("http://user:secretword@host:81/path?password=x", "secretword")
	f.Add("exec:ffmpeg -i rtsp://a:b@c/ --token d -u e:f", "x")
	f.Add("exec:sh -c 'a \\", "://")
	f.Fuzz(func(t *testing.T, source, password string) {
		redact.Address(source)
		redact.Source(source)
		redact.Template(source)
		redact.New(source, password).Text(password)
		// A password of ordinary characters in its usual place never comes through.
		if len(password) < 4 || strings.ContainsFunc(password, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789!$%", r) }) {
			return
		}
		address := "http://user:" + password + "@1.2/path"
		if got := redact.Address(address); got != "http://1.2/***" {
			t.Fatalf("Address shows %q", got)
		}
		if got := redact.New(address).Text("<" + password + ">"); got != "<***>" {
			t.Fatalf("Text shows %q", got)
		}
	})
}
